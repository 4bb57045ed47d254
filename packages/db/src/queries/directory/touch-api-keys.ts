import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** Sets when keys were last used; a key that was touched later by another process stays as it is. */
export async function touchApiKeys(
  db: Kysely<Database>,
  uses: readonly { readonly companyId: string; readonly apiKeyId: string; readonly usedAtMs: number }[],
): Promise<void> {
  if (uses.length === 0) return;
  await sql`
    update api_keys k set last_used_at = u.used_at
    from (
      select company_id, id, to_timestamp(ms / 1000.0) as used_at
      from unnest(${uses.map((use) => use.companyId)}::text[], ${uses.map((use) => use.apiKeyId)}::text[],
        ${uses.map((use) => use.usedAtMs)}::float8[]) as t (company_id, id, ms)
      order by company_id, id
    ) u
    where k.company_id = u.company_id and k.id = u.id
      and (k.last_used_at is null or k.last_used_at < u.used_at)`.execute(db);
}
