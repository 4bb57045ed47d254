import type { ApiKey, CreatedApiKey } from '@bandit/contracts';
import type { ShownApiKey } from '@bandit/db';
import type { CreatedKey } from './create-api-key.ts';

/** A key as lists show it: never the secret, its hash or its look-up id. */
export function presentApiKey(row: ShownApiKey): ApiKey {
  return {
    ...presentIdentity(row),
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
    revokedAt: row.revoked_at?.toISOString() ?? null,
  };
}

export function presentCreatedApiKey({ row, key }: CreatedKey): CreatedApiKey {
  return { ...presentIdentity(row), key };
}

function presentIdentity(row: ShownApiKey) {
  return {
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    scopes: row.scopes,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
  };
}
