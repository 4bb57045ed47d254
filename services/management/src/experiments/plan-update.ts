import { ApiError, type ExperimentStatus, type UpdateExperiment } from '@bandit/contracts';
import type { ExperimentWithTreatments, RowChange } from '@bandit/db';
import { checkAlgorithmConfig } from './algorithm-config.ts';
import { checkTransition } from './check-transition.ts';

/**
 * What a PUT changes: only columns whose value differs from the stored one.
 *
 * @param nowMs database time
 * @throws ApiError FIELD_NOT_CHANGEABLE, INVALID_TRANSITION, EXPERIMENT_NO_TREATMENTS or VALIDATION_ERROR
 */
export function planUpdate(
  current: ExperimentWithTreatments,
  body: UpdateExperiment,
  nowMs: number,
): RowChange<'experiments'> {
  const { experiment } = current;
  const change: RowChange<'experiments'> = {};
  if (body.name !== undefined && body.name !== experiment.name) change.name = body.name;
  if (body.description !== undefined && body.description !== experiment.description) {
    change.description = body.description;
  }
  if (body.assignmentTtl !== undefined && body.assignmentTtl !== experiment.assignment_ttl) {
    change.assignment_ttl = body.assignmentTtl;
  }
  planEnd(current, body, nowMs, change);
  planAlgorithm(current, body, change);
  planStatus(current, body, nowMs, change);
  return change;
}

function planEnd(
  { experiment }: ExperimentWithTreatments,
  body: UpdateExperiment,
  nowMs: number,
  change: RowChange<'experiments'>,
): void {
  if (body.endAt === undefined) return;
  const endAtMs = body.endAt === null ? undefined : Date.parse(body.endAt);
  if (endAtMs === experiment.end_at?.getTime()) return;
  if (endAtMs !== undefined && !(endAtMs > nowMs)) {
    throw new ApiError(
      'VALIDATION_ERROR',
      `endAt must be an instant after now (${new Date(nowMs).toISOString()}), got ${body.endAt}`,
    );
  }
  change.end_at = endAtMs === undefined ? null : new Date(endAtMs);
}

function planAlgorithm(
  { experiment }: ExperimentWithTreatments,
  body: UpdateExperiment,
  change: RowChange<'experiments'>,
): void {
  if (body.algorithm === undefined && body.algorithmConfig === undefined) return;
  if (experiment.status !== 'draft') {
    const field = body.algorithm === undefined ? 'algorithmConfig' : 'algorithm';
    throw new ApiError(
      'FIELD_NOT_CHANGEABLE',
      `${field} can change while the experiment is draft, and it is ${experiment.status}`,
    );
  }
  const algorithm = body.algorithm ?? experiment.algorithm;
  const config = body.algorithmConfig ?? experiment.algorithm_config;
  checkAlgorithmConfig(algorithm, config);
  if (algorithm !== experiment.algorithm) change.algorithm = algorithm;
  if (body.algorithmConfig !== undefined) change.algorithm_config = JSON.stringify(config);
}

function planStatus(
  { experiment, treatments }: ExperimentWithTreatments,
  body: UpdateExperiment,
  nowMs: number,
  change: RowChange<'experiments'>,
): void {
  if (body.status === undefined) return;
  const status = body.status.toLowerCase() as ExperimentStatus;
  checkTransition(experiment.status, status);
  if (status === experiment.status) return;
  if (status === 'active') {
    checkActivation(
      treatments.length,
      change.end_at === undefined ? experiment.end_at : change.end_at,
      nowMs,
    );
    if (experiment.activated_at === null) change.activated_at = new Date(nowMs);
  }
  change.status = status;
}

function checkActivation(nLive: number, endAt: Date | string | null, nowMs: number): void {
  if (nLive === 0) {
    throw new ApiError(
      'EXPERIMENT_NO_TREATMENTS',
      'the experiment has 0 treatments; activating it takes at least 1',
    );
  }
  if (endAt !== null && new Date(endAt).getTime() <= nowMs) {
    throw new ApiError(
      'INVALID_TRANSITION',
      `endAt ${new Date(endAt).toISOString()} has passed; activating takes a later endAt, or null`,
    );
  }
}
