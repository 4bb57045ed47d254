import type { ApiKeySnapshot } from '@bandit/contracts';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';
import { type ApiKeyRow, toApiKeySnapshot } from './api-key-snapshot.ts';

/** The key of any company that is not revoked; undefined when there is none. The tenant is not known yet. */
export async function findApiKey(db: Kysely<Database>, keyId: string): Promise<ApiKeySnapshot | undefined> {
  const { rows } = await sql<ApiKeyRow>`select * from find_api_key(${keyId})`.execute(db);
  const row = rows[0];
  return row && toApiKeySnapshot(row);
}
