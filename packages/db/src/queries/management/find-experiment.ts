import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';
import type { ExperimentWithTreatments } from './experiment-row.ts';
import { listTreatments } from './list-treatments.ts';

/** The experiment and its live treatments; undefined when the company has no such experiment. */
export async function findExperiment(
  trx: Kysely<Database>,
  companyId: string,
  experimentId: string,
): Promise<ExperimentWithTreatments | undefined> {
  const experiment = await trx
    .selectFrom('experiments')
    .where('company_id', '=', companyId)
    .where('id', '=', experimentId)
    .selectAll()
    .executeTakeFirst();
  if (!experiment) return undefined;
  const treatments = await listTreatments(trx, companyId, experimentId);
  return { experiment, treatments: treatments.filter((treatment) => treatment.removed_at === null) };
}
