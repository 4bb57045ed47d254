import type { Decision } from '@bandit/core';
import type { NewAssignment } from '@bandit/db';
import type { AssignmentRequest } from './assigner.ts';

/** What a row has beside the decision itself. */
export interface RowStamp {
  readonly nonce: Uint8Array;
  /** Database time. */
  readonly assignedAtMs: number;
  readonly macKeyId: string;
  readonly stateVersion: number;
  readonly droppedNonce: Uint8Array | undefined;
}

/** A decision as it goes on record. */
export function toRow(
  { experiment, userId, context }: AssignmentRequest,
  { armIndex, propensity, confidence, predictions }: Decision,
  stamp: RowStamp,
): NewAssignment {
  return {
    companyId: experiment.companyId,
    experimentId: experiment.id,
    treatmentId: experiment.treatments[armIndex]!.id,
    partition: experiment.partition,
    userId,
    expiresAtMs: stamp.assignedAtMs + experiment.assignmentTtlSeconds * 1_000,
    propensity,
    confidence,
    predictions,
    context,
    isSticky: experiment.assignmentTtlSeconds > 0,
    ...stamp,
  };
}
