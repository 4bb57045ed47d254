import type { ExperimentSnapshot } from '@bandit/contracts';
import { isActive, requireActive } from '../assign/require-active.ts';

export interface FindActiveDeps {
  findExperiment(companyId: string, experimentId: string): ExperimentSnapshot | undefined;
  nowMs(): number;
  /** Brings the configuration up to date before a refusal: whoever has just activated an experiment may ask for it. */
  confirmConfiguration(): Promise<void>;
}

/**
 * The experiment if it assigns treatments at this moment, without a promise where memory says so.
 *
 * @throws ApiError EXPERIMENT_NOT_FOUND, EXPERIMENT_NOT_ACTIVE or EXPERIMENT_NO_TREATMENTS (the promise rejects)
 */
export function findActive(
  deps: FindActiveDeps,
  companyId: string,
  experimentId: string,
): ExperimentSnapshot | Promise<ExperimentSnapshot> {
  const experiment = deps.findExperiment(companyId, experimentId);
  if (experiment && isActive(experiment, deps.nowMs())) return experiment;
  return deps
    .confirmConfiguration()
    .then(() => requireActive(deps.findExperiment(companyId, experimentId), deps.nowMs()));
}
