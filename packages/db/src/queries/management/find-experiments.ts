import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';
import type { ExperimentWithTreatments } from './experiment-row.ts';

/** Those of `ids` that the company has, in the order of `ids`, each with its live treatments. */
export async function findExperiments(
  trx: Kysely<Database>,
  companyId: string,
  ids: readonly string[],
): Promise<ExperimentWithTreatments[]> {
  if (ids.length === 0) return [];
  const experiments = await trx
    .selectFrom('experiments')
    .where('company_id', '=', companyId)
    .where('id', 'in', ids)
    .selectAll()
    .execute();
  const treatments = await trx
    .selectFrom('treatments')
    .where('company_id', '=', companyId)
    .where('experiment_id', 'in', ids)
    .where('removed_at', 'is', null)
    .selectAll()
    .orderBy('position')
    .execute();
  const byId = new Map(experiments.map((experiment) => [experiment.id, experiment]));
  const byExperiment = Map.groupBy(treatments, (treatment) => treatment.experiment_id);
  return ids.flatMap((id) => {
    const experiment = byId.get(id);
    return experiment ? [{ experiment, treatments: byExperiment.get(id) ?? [] }] : [];
  });
}
