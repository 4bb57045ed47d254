import { eventIdOfAssignment, makeId, type TrackEvent } from '@bandit/contracts';
import {
  type AcceptAssignment,
  type AcceptItem,
  assignmentEventKey,
  clientEventKey,
  clientTrialNonce,
  partitionOfExperiment,
  type StoredAssignment,
  submissionKey,
  type Triplet,
} from '@bandit/db';
import type { EventSubject } from './identify-event.ts';

/**
 * The row and the identities of one event (decisions, Events).
 *
 * @param resolved the assignment that a triplet means; undefined for none. Of a signed subject it is not looked at.
 * @param random 16 bytes of chance of this submission: the event's id
 * @param macKeyId the key that signs today's ids, for a client-made assignment
 */
export function makeAcceptItem(
  companyId: string,
  event: TrackEvent,
  subject: EventSubject,
  resolved: StoredAssignment | undefined,
  random: Uint8Array,
  macKeyId: string,
): AcceptItem {
  const known = subject.kind === 'signed' ? subject.assignment : resolved;
  const base = { companyId, ...contentOf(event), eventId: makeId('event', random), macKeyId };
  if (known !== undefined) return onAssignment(base, event, known, subject.kind === 'signed');
  const { triplet } = subject as { triplet: Triplet };
  return makesTrial(event) ? withTrial(base, event, triplet, random) : alone(base, event, triplet, random);
}

/** Without any assignment, these two make a client-made one (decisions, Events). */
export function makesTrial(event: TrackEvent): boolean {
  return event.eventType === 'ASSIGNMENT' || event.eventType === 'CONVERSION';
}

type Base = Pick<
  AcceptItem,
  'companyId' | 'eventType' | 'value' | 'metadata' | 'occurredAtMs' | 'eventId' | 'macKeyId'
>;

/** The server's assignmentId is merged in when an event is answered: the client's own is never stored. */
function contentOf(event: TrackEvent): Pick<Base, 'eventType' | 'value' | 'metadata' | 'occurredAtMs'> {
  const { assignmentId: _, ...metadata } = event.metadata ?? {};
  return {
    eventType: event.eventType,
    value: event.value,
    metadata,
    occurredAtMs: event.timestamp === undefined ? undefined : Date.parse(event.timestamp),
  };
}

function onAssignment(base: Base, event: TrackEvent, known: StoredAssignment, isSigned: boolean): AcceptItem {
  const isCounted = event.eventType === 'ASSIGNMENT';
  const assignment: AcceptAssignment = {
    nonce: known.nonce,
    assignedAtMs: known.assignedAtMs,
    signed: isSigned ? known : undefined,
  };
  return {
    ...base,
    ...subjectOf(known),
    // An assignment is itself the event of type ASSIGNMENT: a client's is always a repeat.
    kind: isCounted ? 'restore' : 'event',
    eventId: isCounted ? eventIdOfAssignment(known.nonce) : base.eventId,
    keys: isCounted ? [] : keysOn(known.nonce, event),
    trialKey: undefined,
    trialEventId: undefined,
    assignment,
    macKeyId: known.macKeyId,
  };
}

/** CLICK, VIEW and CUSTOM may repeat under the client's different ids. */
function keysOn(nonce: Uint8Array, event: TrackEvent): Uint8Array[] {
  if (event.eventId === undefined) return [assignmentEventKey(nonce, event.eventType)];
  const own = clientEventKey(event.eventId);
  return makesTrial(event) ? [assignmentEventKey(nonce, event.eventType), own] : [own];
}

function withTrial(base: Base, event: TrackEvent, triplet: Triplet, random: Uint8Array): AcceptItem {
  const nonce = clientTrialNonce(base.companyId, triplet.experimentId, triplet.treatmentId, triplet.userId);
  const isTrial = event.eventType === 'ASSIGNMENT';
  const keys = keysOn(nonce, event);
  return {
    ...base,
    ...subjectOf(triplet),
    kind: isTrial ? 'trial' : 'event',
    // Two submissions of the same trial have the same event id: the submission tells a re-run from a repeat.
    eventId: isTrial ? eventIdOfAssignment(nonce) : base.eventId,
    keys: isTrial ? [submissionKey(random), ...keys] : keys,
    trialKey: isTrial ? undefined : assignmentEventKey(nonce, 'ASSIGNMENT'),
    trialEventId: isTrial ? undefined : eventIdOfAssignment(nonce),
    assignment: { nonce, assignedAtMs: undefined, signed: undefined },
  };
}

function alone(base: Base, event: TrackEvent, triplet: Triplet, random: Uint8Array): AcceptItem {
  return {
    ...base,
    ...subjectOf(triplet),
    kind: 'event',
    keys: [event.eventId === undefined ? submissionKey(random) : clientEventKey(event.eventId)],
    trialKey: undefined,
    trialEventId: undefined,
    assignment: undefined,
  };
}

function subjectOf(triplet: Triplet) {
  const { experimentId, treatmentId, userId } = triplet;
  return { experimentId, treatmentId, userId, partition: partitionOfExperiment(experimentId) };
}
