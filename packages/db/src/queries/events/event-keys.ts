/**
 * Identities of events in `event_keys`: one leading byte for the kind, then what is unique within the company. What two
 * events may not share, however they come in.
 */
import { createHash } from 'node:crypto';
import type { EventType } from '@bandit/contracts';

/** An assignment takes each event type once. */
export function assignmentEventKey(nonce: Uint8Array, eventType: EventType): Buffer {
  return Buffer.concat([Buffer.of(1), nonce, Buffer.from(eventType)]);
}

/** The client's own `eventId`. */
export function clientEventKey(clientEventId: string): Buffer {
  return Buffer.concat([Buffer.of(2), Buffer.from(clientEventId)]);
}

/** One funnel reward per user credits each experiment once. */
export function funnelEventKey(funnelId: string, userId: string, experimentId: string): Buffer {
  const digest = createHash('sha256').update(`${funnelId}\0${userId}\0${experimentId}`).digest();
  return Buffer.concat([Buffer.of(3), digest]);
}

/** One submission, for an event without any other identity of its own: tells a re-run of the commit. */
export function submissionKey(token: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(4), token]);
}

/** The nonce of the one client-made assignment of (experiment, treatment, user): 16 bytes. */
export function clientTrialNonce(
  companyId: string,
  experimentId: string,
  treatmentId: string,
  userId: string,
): Buffer {
  const text = ['client', companyId, experimentId, treatmentId, userId].join('\0');
  return createHash('sha256').update(text).digest().subarray(0, 16);
}
