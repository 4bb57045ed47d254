import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';
import type { TreatmentRow } from './experiment-row.ts';

/** The company's treatment of that id, of whichever experiment; undefined when removed or not there. */
export async function findLiveTreatment(
  trx: Kysely<Database>,
  companyId: string,
  treatmentId: string,
): Promise<TreatmentRow | undefined> {
  return trx
    .selectFrom('treatments')
    .where('company_id', '=', companyId)
    .where('id', '=', treatmentId)
    .where('removed_at', 'is', null)
    .selectAll()
    .executeTakeFirst();
}
