import type { Kysely } from 'kysely';
import type { Database, NewRow } from '../../schema.ts';
import type { TreatmentRow } from './experiment-row.ts';

/** @returns the rows in the order given */
export async function insertTreatments(
  trx: Kysely<Database>,
  treatments: readonly NewRow<'treatments'>[],
): Promise<TreatmentRow[]> {
  if (treatments.length === 0) return [];
  const rows = await trx
    .insertInto('treatments')
    .values([...treatments])
    .returningAll()
    .execute();
  return rows.sort((a, b) => a.position - b.position);
}
