import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';

/** Ids of the events that hold these identities. */
export async function listRewardEventIds(
  trx: Kysely<Database>,
  companyId: string,
  keys: readonly Uint8Array[],
): Promise<string[]> {
  if (keys.length === 0) return [];
  const rows = await trx
    .selectFrom('event_keys')
    .where('company_id', '=', companyId)
    .where('key', 'in', keys as Buffer[])
    .select('event_id')
    .execute();
  return rows.map((row) => row.event_id);
}
