import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';
import type { ExperimentWithTreatments, TreatmentRow } from './experiment-row.ts';

/** Newest first, each with its live treatments: two queries, however many experiments there are. */
export async function listExperiments(
  trx: Kysely<Database>,
  companyId: string,
  limit: number,
): Promise<ExperimentWithTreatments[]> {
  const experiments = await trx
    .selectFrom('experiments')
    .where('company_id', '=', companyId)
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  const treatments = await trx
    .selectFrom('treatments')
    .where('company_id', '=', companyId)
    .where('removed_at', 'is', null)
    .selectAll()
    .orderBy('experiment_id')
    .orderBy('position')
    .execute();
  const byExperiment = Map.groupBy(treatments, (treatment) => treatment.experiment_id);
  const none: TreatmentRow[] = [];
  return experiments.map((experiment) => ({
    experiment,
    treatments: byExperiment.get(experiment.id) ?? none,
  }));
}
