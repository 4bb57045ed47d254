import type { ApiKeyScope, ApiKeySnapshot } from '@bandit/contracts';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

interface FoundKey {
  company_id: string;
  id: string;
  key_id: string;
  secret_hash: Buffer;
  scopes: ApiKeyScope[];
  expires_at: Date | null;
}

/** The key of any company that is not revoked; undefined when there is none. The tenant is not known yet. */
export async function findApiKey(db: Kysely<Database>, keyId: string): Promise<ApiKeySnapshot | undefined> {
  const { rows } = await sql<FoundKey>`select * from find_api_key(${keyId})`.execute(db);
  const row = rows[0];
  if (!row) return undefined;
  return {
    companyId: row.company_id,
    id: row.id,
    keyId: row.key_id,
    secretHash: row.secret_hash,
    scopes: row.scopes,
    expiresAtMs: row.expires_at?.getTime(),
  };
}
