import type { AssignmentFields, ExperimentSnapshot } from '@bandit/contracts';

/**
 * How sure it is that an assignment stands: `settled` by the database; `kept` by RECORDS until the database is back;
 * `unrecorded`: answered, and in the memory of the process that made it.
 */
export type Standing = 'settled' | 'kept' | 'unrecorded';

/** An assignment as it is remembered and answered. */
export interface KnownAssignment {
  readonly assignmentId: string;
  readonly treatmentId: string;
  /** Index into the experiment's treatments; -1: not among those known here. */
  readonly position: number;
  readonly confidence: number;
  readonly expiresAtMs: number;
  standing: Standing;
}

/** `unknown`: its treatment was added a moment ago and is not in this process's snapshot yet. */
export type Verdict = 'valid' | 'expired' | 'removed' | 'unknown';

/** Does this assignment still decide what its user gets? */
export function judge(known: KnownAssignment, experiment: ExperimentSnapshot, nowMs: number): Verdict {
  if (known.expiresAtMs <= nowMs) return 'expired';
  const treatment = experiment.treatments[known.position];
  if (!treatment) return 'unknown';
  return treatment.isLive ? 'valid' : 'removed';
}

export function toKnownAssignment(
  assignmentId: string,
  fields: Pick<AssignmentFields, 'treatmentId' | 'confidence' | 'expiresAtMs'>,
  experiment: ExperimentSnapshot,
  standing: Standing,
): KnownAssignment {
  const { treatmentId, confidence, expiresAtMs } = fields;
  const position = experiment.treatments.findIndex(({ id }) => id === treatmentId);
  return { assignmentId, treatmentId, position, confidence, expiresAtMs, standing };
}
