import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Database } from '../../schema.ts';
import type { ShownApiKey } from './list-api-keys.ts';

/** @returns the key as it is now and whether this call revoked it; undefined when the company has no such key */
export async function revokeApiKey(
  trx: Kysely<Database>,
  companyId: string,
  id: string,
): Promise<{ apiKey: ShownApiKey; isRevokedNow: boolean } | undefined> {
  const before = await trx
    .selectFrom('api_keys')
    .where('company_id', '=', companyId)
    .where('id', '=', id)
    .select('revoked_at')
    .executeTakeFirst();
  if (!before) return undefined;
  const apiKey = await trx
    .updateTable('api_keys')
    .set({ revoked_at: sql<Date>`coalesce(revoked_at, now())` })
    .where('company_id', '=', companyId)
    .where('id', '=', id)
    .returning(['id', 'name', 'prefix', 'scopes', 'created_at', 'expires_at', 'revoked_at', 'last_used_at'])
    .executeTakeFirstOrThrow();
  return { apiKey, isRevokedNow: before.revoked_at === null };
}
