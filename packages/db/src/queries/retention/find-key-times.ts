import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/**
 * When these identities of `event_keys` were claimed: they outlive the facts that they were claimed for.
 *
 * @returns shape of `keys`; undefined for one that is free
 */
export async function findKeyTimes(
  db: Kysely<Database>,
  companyId: string,
  keys: readonly Uint8Array[],
): Promise<(number | undefined)[]> {
  const { rows } = await sql<{ place: number; received_at: Date }>`
    select k.place, e.received_at
    from unnest(${keys.map((key) => Buffer.from(key))}::bytea[]) with ordinality k(key, place)
    join event_keys e on e.company_id = ${companyId} and e.key = k.key`.execute(db);
  const times = new Map(rows.map((row) => [row.place - 1, row.received_at.getTime()]));
  return keys.map((_, place) => times.get(place));
}
