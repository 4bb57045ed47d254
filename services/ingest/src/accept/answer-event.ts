import { ApiError, type Event, type TrackEvent } from '@bandit/contracts';
import { type AcceptItem, type AcceptVerdict, isDataError, sqlStateOf, toAnswerable } from '@bandit/db';

/**
 * The event as it is answered.
 *
 * @param assignmentId of its assignment; undefined when the event has none
 */
export function answerEvent(
  item: AcceptItem,
  verdict: AcceptVerdict,
  assignmentId: string | undefined,
): Event {
  return {
    id: verdict.eventId,
    experimentId: item.experimentId,
    treatmentId: item.treatmentId,
    userId: item.userId,
    eventType: item.eventType,
    value: item.value ?? null,
    metadata: assignmentId === undefined ? item.metadata : { ...item.metadata, assignmentId },
    timestamp: new Date(verdict.receivedAtMs).toISOString(),
  };
}

/** 409: already counted; `details.eventId` names the event that was. */
export function duplicateError(event: TrackEvent, verdict: AcceptVerdict): ApiError {
  const repeated =
    event.eventId === undefined
      ? `${event.eventType} of this assignment`
      : `${event.eventType} of this assignment, or an event with this eventId,`;
  return new ApiError(
    'DUPLICATE_EVENT',
    `${repeated} was already recorded as ${verdict.eventId}; each is counted once`,
    { details: { eventId: verdict.eventId } },
  );
}

/** What a client is told about an item whose commit failed. */
export function commitError(error: unknown): unknown {
  if (error instanceof ApiError) return error;
  // Foreign key: the id is ours, but its experiment or treatment is not in this database (restored from a backup).
  if (sqlStateOf(error) === '23503') {
    return new ApiError('ASSIGNMENT_NOT_FOUND', 'assignmentId is not an assignment of this company', {
      cause: error,
    });
  }
  if (isDataError(error)) {
    return new ApiError('VALIDATION_ERROR', 'the event holds a value that cannot be stored', {
      cause: error,
    });
  }
  return toAnswerable(error);
}
