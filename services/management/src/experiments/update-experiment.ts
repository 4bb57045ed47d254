import type { NowMs, UpdateExperiment } from '@bandit/contracts';
import {
  type ExperimentWithTreatments,
  findExperiment,
  type RowChange,
  updateExperiment as writeChange,
} from '@bandit/db';
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
      note: { action: 'experiment.update', target: experimentId, details: describeChange(change) },
    };
  });
}

/** What changed, under the names of the API. */
function describeChange(change: RowChange<'experiments'>): Record<string, unknown> {
  return {
    name: change.name,
    description: change.description,
    status: change.status,
    assignmentTtl: change.assignment_ttl,
    endAt: change.end_at instanceof Date ? change.end_at.toISOString() : change.end_at,
    algorithm: change.algorithm,
    algorithmConfig: change.algorithm_config === undefined ? undefined : JSON.parse(change.algorithm_config),
  };
}
