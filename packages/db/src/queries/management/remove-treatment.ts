import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** Soft: the row stays, and with it the treatment's history and arm index. */
export async function removeTreatment(
  trx: Kysely<Database>,
  companyId: string,
  experimentId: string,
  treatmentId: string,
): Promise<void> {
  await trx
    .updateTable('treatments')
    .set({ removed_at: sql<Date>`now()` })
    .where('company_id', '=', companyId)
    .where('experiment_id', '=', experimentId)
    .where('id', '=', treatmentId)
    .where('removed_at', 'is', null)
    .execute();
}
