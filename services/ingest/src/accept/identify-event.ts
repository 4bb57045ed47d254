import { ApiError, type ExperimentSnapshot, type TrackEvent } from '@bandit/contracts';
import type { StoredAssignment, Triplet } from '@bandit/db';

/** Ids that prove themselves (auth's codec). */
export interface AssignmentIds {
  /** undefined for whatever does not verify. */
  verify(id: string): StoredAssignment | undefined;
  sign(assignment: StoredAssignment): string;
  /** The key that signs today's ids. */
  readonly currentKeyId: string;
  /** Keyed hash of an end user. */
  hashSubject(companyId: string, userId: string): Uint8Array;
}

export type FindExperiment = (companyId: string, experimentId: string) => ExperimentSnapshot | undefined;

/** What an event says it belongs to: an assignment that its id proves, or three names to be resolved. */
export type EventSubject =
  | { readonly kind: 'signed'; readonly assignment: StoredAssignment }
  | { readonly kind: 'triplet'; readonly triplet: Triplet };

export interface IdentifyDeps {
  readonly ids: Pick<AssignmentIds, 'verify'>;
  readonly findExperiment: FindExperiment;
}

const tripletFields = ['experimentId', 'treatmentId', 'userId'] as const;

/** @throws ApiError 400 for an incomplete or contradictory subject, 404 for an unknown one */
export function identifyEvent(deps: IdentifyDeps, companyId: string, event: TrackEvent): EventSubject {
  if (event.assignmentId === undefined)
    return { kind: 'triplet', triplet: checkTriplet(deps.findExperiment, companyId, event) };
  const assignment = deps.ids.verify(event.assignmentId);
  if (assignment === undefined || assignment.companyId !== companyId) {
    throw unknownAssignment();
  }
  for (const field of tripletFields) {
    if (event[field] !== undefined && event[field] !== assignment[field]) {
      throw new ApiError(
        'VALIDATION_ERROR',
        `${field} must be left out or be that of the assignment beside assignmentId, got ${show(event[field])}`,
      );
    }
  }
  return { kind: 'signed', assignment };
}

/** Also of a user who was erased: byte for byte the same. */
export function unknownAssignment(): ApiError {
  return new ApiError('ASSIGNMENT_NOT_FOUND', 'assignmentId is not an assignment of this company');
}

function checkTriplet(findExperiment: FindExperiment, companyId: string, event: TrackEvent): Triplet {
  const { experimentId, treatmentId, userId } = event;
  if (experimentId === undefined || treatmentId === undefined || userId === undefined) {
    const missing = tripletFields.filter((field) => event[field] === undefined).join(', ');
    throw new ApiError(
      'VALIDATION_ERROR',
      `an event needs assignmentId, or all of experimentId, treatmentId and userId: missing ${missing}`,
    );
  }
  const experiment = findExperiment(companyId, experimentId);
  // Without the ids: another company's is answered byte for byte like an unknown one.
  if (experiment === undefined) {
    throw new ApiError('EXPERIMENT_NOT_FOUND', 'experiment not found: the id names none of this company');
  }
  // Removed treatments included: what they were shown for still happens.
  if (!experiment.treatments.some((treatment) => treatment.id === treatmentId)) {
    throw new ApiError('TREATMENT_NOT_FOUND', 'treatment not found: the id names none of this experiment');
  }
  return { experimentId, treatmentId, userId };
}

/** As JSON, and never longer than an id that we made. */
function show(text: string | undefined): string {
  return JSON.stringify(text?.slice(0, 64));
}
