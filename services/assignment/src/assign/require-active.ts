import { ApiError, type ExperimentSnapshot } from '@bandit/contracts';

/**
 * The experiment, if it assigns treatments at this moment.
 * @param nowMs database time
 * @throws ApiError EXPERIMENT_NOT_FOUND or EXPERIMENT_NOT_ACTIVE
 */
export function requireActive(experiment: ExperimentSnapshot | undefined, nowMs: number): ExperimentSnapshot {
  if (!experiment) {
    // Without the id: an unknown one and another company's get the same bytes.
    throw new ApiError('EXPERIMENT_NOT_FOUND', 'experiment not found: the id names none of this company');
  }
  if (experiment.status !== 'active') throw notActive(experiment, experiment.status);
  // The status follows within moments; assignments stop at the instant itself.
  if (experiment.endAtMs !== undefined && experiment.endAtMs <= nowMs) {
    throw notActive(experiment, 'completed', `, it ended at ${new Date(experiment.endAtMs).toISOString()}`);
  }
  if (!experiment.treatments.some(({ isLive }) => isLive)) {
    throw new ApiError('EXPERIMENT_NO_TREATMENTS', `experiment ${experiment.id} has no treatments`);
  }
  return experiment;
}

/** True when `requireActive` would return it. */
export function isActive({ status, endAtMs, treatments }: ExperimentSnapshot, nowMs: number): boolean {
  const isOver = endAtMs !== undefined && endAtMs <= nowMs;
  return status === 'active' && !isOver && treatments.some(({ isLive }) => isLive);
}

function notActive({ id }: ExperimentSnapshot, status: string, more = ''): ApiError {
  const sentence = `experiment ${id} is ${status}${more}: only an active experiment assigns treatments`;
  return new ApiError('EXPERIMENT_NOT_ACTIVE', sentence, { details: { status } });
}
