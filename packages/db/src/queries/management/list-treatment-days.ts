import type { Kysely } from 'kysely';
import type { Database, Row } from '../../schema.ts';

/** What the learner counted, per treatment and UTC day of assignment, by day. */
export async function listTreatmentDays(
  trx: Kysely<Database>,
  companyId: string,
  experimentId: string,
): Promise<Row<'treatment_days'>[]> {
  return trx
    .selectFrom('treatment_days')
    .where('company_id', '=', companyId)
    .where('experiment_id', '=', experimentId)
    .selectAll()
    .orderBy('day')
    .orderBy('treatment_id')
    .execute();
}
