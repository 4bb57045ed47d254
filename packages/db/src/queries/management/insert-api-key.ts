import type { Kysely } from 'kysely';
import type { Database, NewRow, Row } from '../../schema.ts';

export async function insertApiKey(
  trx: Kysely<Database>,
  apiKey: NewRow<'api_keys'>,
): Promise<Row<'api_keys'>> {
  return trx.insertInto('api_keys').values(apiKey).returningAll().executeTakeFirstOrThrow();
}
