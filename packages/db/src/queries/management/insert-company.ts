import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';

export async function insertCompany(
  trx: Kysely<Database>,
  company: { readonly id: string; readonly name: string },
): Promise<void> {
  await trx.insertInto('companies').values(company).execute();
}
