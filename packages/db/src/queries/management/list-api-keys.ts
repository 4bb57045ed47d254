import type { Kysely } from 'kysely';
import type { Database, Row } from '../../schema.ts';

/** What may be shown of a key: everything but its hash and its look-up id. */
export type ShownApiKey = Omit<Row<'api_keys'>, 'company_id' | 'key_id' | 'secret_hash'>;

/** Newest first, revoked ones included. */
export async function listApiKeys(trx: Kysely<Database>, companyId: string): Promise<ShownApiKey[]> {
  return trx
    .selectFrom('api_keys')
    .where('company_id', '=', companyId)
    .select(['id', 'name', 'prefix', 'scopes', 'created_at', 'expires_at', 'revoked_at', 'last_used_at'])
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .execute();
}
