import { ApiError, type Event, type TrackEvent } from '@bandit/contracts';
import type { AcceptItem, AcceptVerdict, StoredAssignment, Triplet } from '@bandit/db';
import { answerEvent, commitError, duplicateError } from './answer-event.ts';
import { checkEventSize } from './check-event-size.ts';
import { type ConfirmDeps, confirmSubjects } from './confirm-subjects.ts';
import { type AssignmentIds, type EventSubject, identifyEvent, unknownAssignment } from './identify-event.ts';
import { makeAcceptItem, makesTrial } from './make-accept-item.ts';

export interface AcceptPassDeps extends ConfirmDeps {
  readonly ids: AssignmentIds;
  /** Database time. */
  readonly nowMs: () => number;
  readonly randomBytes: (n: number) => Uint8Array;
  /** How long facts are kept; undefined: for ever. */
  readonly retentionMs: number | undefined;
  readonly resolve: (
    companyId: string,
    triplets: readonly Triplet[],
  ) => Promise<(StoredAssignment | undefined)[]>;
  /** Commits items; one outcome each. */
  readonly submit: (items: readonly AcceptItem[]) => Promise<PromiseSettledResult<AcceptVerdict>[]>;
}

/** `error` is an ApiError, or an unexpected failure of ours. */
export type AcceptResult = { readonly event: Event } | { readonly error: unknown };

interface Waiting {
  readonly index: number;
  readonly event: TrackEvent;
  readonly subject: EventSubject;
}

/**
 * Accepts events that passed the schema, each by itself. In passes, nearly always one: an item behind one that makes the
 * assignment which it would resolve to waits for the next.
 *
 * @returns shape of `events`; never rejects
 */
export async function acceptInPasses(
  deps: AcceptPassDeps,
  companyId: string,
  events: readonly TrackEvent[],
): Promise<AcceptResult[]> {
  const results = new Array<AcceptResult>(events.length);
  await confirmSubjects(deps, companyId, events);
  let waiting = events.flatMap((event, index): Waiting[] => {
    try {
      checkEventSize(event);
      return [{ index, event, subject: identifyEvent(deps, companyId, event) }];
    } catch (error) {
      results[index] = { error };
      return [];
    }
  });
  while (waiting.length > 0) {
    const resolved = await resolveWaiting(deps, companyId, waiting).catch((error: unknown) => {
      for (const { index } of waiting) results[index] = { error: commitError(error) };
      return undefined;
    });
    if (resolved === undefined) break;
    const later = findLater(waiting, resolved);
    const now = waiting.flatMap((one, place) => (later.has(one) ? [] : [{ one, known: resolved[place] }]));
    await acceptPass(deps, companyId, now, results);
    waiting = waiting.filter((one) => later.has(one));
  }
  return results;
}

async function resolveWaiting(
  deps: AcceptPassDeps,
  companyId: string,
  waiting: readonly Waiting[],
): Promise<(StoredAssignment | undefined)[]> {
  const triplets = waiting.flatMap(({ subject }) => (subject.kind === 'triplet' ? [subject.triplet] : []));
  const found = triplets.length === 0 ? [] : await deps.resolve(companyId, triplets);
  let next = 0;
  return waiting.map(({ subject }) => (subject.kind === 'signed' ? subject.assignment : found[next++]));
}

function findLater(
  waiting: readonly Waiting[],
  resolved: readonly (StoredAssignment | undefined)[],
): Set<Waiting> {
  const making = new Set<string>();
  const later = new Set<Waiting>();
  waiting.forEach((one, place) => {
    if (resolved[place] !== undefined || one.subject.kind === 'signed') return;
    const { experimentId, treatmentId, userId } = one.subject.triplet;
    const key = [experimentId, treatmentId, userId].join('\0');
    if (making.has(key)) later.add(one);
    else if (makesTrial(one.event)) making.add(key);
  });
  return later;
}

interface Resolved {
  readonly one: Waiting;
  readonly known: StoredAssignment | undefined;
}

async function acceptPass(
  deps: AcceptPassDeps,
  companyId: string,
  pass: readonly Resolved[],
  results: AcceptResult[],
): Promise<void> {
  const live = pass.filter(({ one, known }) => {
    if (!isExpired(deps, known)) return true;
    results[one.index] = { error: expiredError() };
    return false;
  });
  const items = live.map(({ one, known }) => {
    const random = deps.randomBytes(16);
    const item = makeAcceptItem(companyId, one.event, one.subject, known, random, deps.ids.currentKeyId);
    return { ...item, subject: deps.ids.hashSubject(companyId, item.userId) };
  });
  const settled = await deps
    .submit(items)
    .catch((reason: unknown) => items.map(() => ({ status: 'rejected', reason }) as const));
  live.forEach((resolved, place) => {
    results[resolved.one.index] = toResult(deps.ids, resolved, items[place]!, settled[place]!);
  });
}

function toResult(
  ids: AssignmentIds,
  { one, known }: Resolved,
  item: AcceptItem,
  settled: PromiseSettledResult<AcceptVerdict>,
): AcceptResult {
  if (settled.status === 'rejected') return { error: commitError(settled.reason) };
  const verdict = settled.value;
  if (verdict.isErased) return { error: unknownAssignment() };
  if (!verdict.isWon) return { error: duplicateError(one.event, verdict) };
  const assignment = known ?? clientTrial(item, verdict);
  const assignmentId = one.event.assignmentId ?? (assignment && ids.sign(assignment));
  return { event: answerEvent(item, verdict, assignmentId) };
}

/** The client-made assignment that the commit made or found; undefined for an event that has none. */
function clientTrial(item: AcceptItem, verdict: AcceptVerdict): StoredAssignment | undefined {
  if (item.assignment === undefined || verdict.assignedAtMs === undefined) return undefined;
  return {
    companyId: item.companyId,
    experimentId: item.experimentId,
    treatmentId: item.treatmentId,
    userId: item.userId,
    nonce: item.assignment.nonce,
    assignedAtMs: verdict.assignedAtMs,
    expiresAtMs: verdict.assignedAtMs,
    propensity: undefined,
    confidence: 0,
    stateVersion: 0,
    macKeyId: item.macKeyId,
  };
}

function isExpired(deps: AcceptPassDeps, known: StoredAssignment | undefined): boolean {
  return (
    known !== undefined &&
    deps.retentionMs !== undefined &&
    deps.nowMs() - known.assignedAtMs > deps.retentionMs
  );
}

function expiredError(): ApiError {
  return new ApiError(
    'ASSIGNMENT_EXPIRED',
    'the assignment is older than the time for which events are kept',
  );
}
