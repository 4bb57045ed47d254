import type { ApiKeySnapshot } from '@bandit/contracts';
import type { Row } from '../../schema.ts';

/** The columns that both ways to a key read: all that may leave the database of it. */
export type ApiKeyRow = Pick<
  Row<'api_keys'>,
  'company_id' | 'id' | 'key_id' | 'secret_hash' | 'scopes' | 'expires_at'
>;

export function toApiKeySnapshot(row: ApiKeyRow): ApiKeySnapshot {
  return {
    companyId: row.company_id,
    id: row.id,
    keyId: row.key_id,
    secretHash: row.secret_hash,
    scopes: row.scopes,
    expiresAtMs: row.expires_at?.getTime(),
  };
}
