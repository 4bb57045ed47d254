import type { NowMs, UpdateExperiment } from '@bandit/contracts';
import { type ExperimentWithTreatments, findExperiment, updateExperiment as writeChange } from '@bandit/db';
import { type Author, type ChangeDeps, changeCompany } from '../change-company.ts';
import { experimentNotFound } from './experiment-not-found.ts';
import { planUpdate } from './plan-update.ts';

/**
 * Applies a PUT as one audited change; a body that changes nothing writes nothing.
 *
 * @throws ApiError EXPERIMENT_NOT_FOUND, or what `planUpdate` throws
 */
export function updateExperiment(
  deps: ChangeDeps & { readonly nowMs: NowMs },
  author: Author,
  experimentId: string,
  body: UpdateExperiment,
): Promise<ExperimentWithTreatments> {
  return changeCompany(deps, author, async (trx) => {
    const current = await findExperiment(trx, author.companyId, experimentId);
    if (!current) throw experimentNotFound();
    const change = planUpdate(current, body, deps.nowMs());
    if (Object.keys(change).length === 0) return { result: current };
    const experiment = await writeChange(trx, author.companyId, experimentId, change);
    return {
      result: { experiment, treatments: current.treatments },
      note: { action: 'experiment.update', target: experimentId, details: describeChange(body, change) },
    };
  });
}

/** The body's fields that changed, under the names and in the forms of the API. */
function describeChange(body: UpdateExperiment, change: object): Record<string, unknown> {
  const columns: Record<keyof UpdateExperiment, string> = {
    name: 'name',
    description: 'description',
    status: 'status',
    assignmentTtl: 'assignment_ttl',
    endAt: 'end_at',
    algorithm: 'algorithm',
    algorithmConfig: 'algorithm_config',
  };
  const changed = Object.entries(body).filter(([field]) =>
    Object.hasOwn(change, columns[field as keyof UpdateExperiment]),
  );
  return Object.fromEntries(changed);
}
