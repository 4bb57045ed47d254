import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';
import type { TreatmentRow } from './experiment-row.ts';

/** Every treatment the experiment ever had, removed ones included, by position: the index IS the position. */
export async function listTreatments(
  trx: Kysely<Database>,
  companyId: string,
  experimentId: string,
): Promise<TreatmentRow[]> {
  return trx
    .selectFrom('treatments')
    .where('company_id', '=', companyId)
    .where('experiment_id', '=', experimentId)
    .selectAll()
    .orderBy('position')
    .execute();
}
