import type { CurrentAssignment, CurrentAssignmentKey, NewAssignment } from '@bandit/db';
import type { AssignmentStore } from './assignment-store.ts';

/** What the database decided about one decision. */
export type CommitOutcome =
  | { readonly kind: 'recorded' }
  /** The user's current assignment is another one. */
  | { readonly kind: 'held'; readonly by: CurrentAssignment }
  /** The user was erased after it was made: never recorded. */
  | { readonly kind: 'erased' }
  /** What stood in the way is gone by now. */
  | { readonly kind: 'again' };

const recordedOutcome: CommitOutcome = { kind: 'recorded' };

/**
 * Commits a group: one statement, and a second one for those who did not get through, which tells whose assignment
 * stands. A row that an earlier run recorded (its outcome was unknown) is recognised by its nonce.
 *
 * @returns one outcome a row, in order
 */
export async function commitGroup(
  store: AssignmentStore,
  rows: readonly NewAssignment[],
): Promise<CommitOutcome[]> {
  const recorded = await store.insertAssignments(firstOfEachUser(rows));
  const undecided = rows.filter((row) => !recorded.has(hex(row.nonce)));
  if (undecided.length === 0) return rows.map(() => recordedOutcome);
  const erasedPlaces = await store.findErased(undecided);
  const erased = new Set(undecided.filter((_, place) => erasedPlaces.has(place)));
  const heldBy = await findHeld(store, undecided);
  const unsticky = undecided.filter((row) => !row.isSticky);
  const earlier = unsticky.length > 0 ? await store.findRecordedNonces(unsticky) : new Set<string>();
  return rows.map((row) => {
    if (erased.has(row)) return { kind: 'erased' };
    if (recorded.has(hex(row.nonce)) || earlier.has(hex(row.nonce))) return recordedOutcome;
    return outcomeOf(row, heldBy(row));
  });
}

/** @returns who holds what, by user of an experiment */
export async function findHeld(
  store: Pick<AssignmentStore, 'findCurrentAssignments'>,
  keys: readonly CurrentAssignmentKey[],
): Promise<(key: CurrentAssignmentKey) => CurrentAssignment | undefined> {
  const held = new Map<string, CurrentAssignment>();
  for (const current of await store.findCurrentAssignments(keys)) held.set(userKey(current), current);
  return (key) => held.get(userKey(key));
}

function outcomeOf(row: NewAssignment, held: CurrentAssignment | undefined): CommitOutcome {
  if (!held) return { kind: 'again' };
  if (hex(held.nonce) === hex(row.nonce)) return recordedOutcome;
  // A neighbour of this very group that was over, or dropped, when the row was made: it does not stand in its way.
  const isOver = held.expiresAtMs <= row.assignedAtMs;
  const isDropped = row.droppedNonce !== undefined && hex(held.nonce) === hex(row.droppedNonce);
  return row.isSticky && (isOver || isDropped) ? { kind: 'again' } : { kind: 'held', by: held };
}

/** One statement takes each user of an experiment once; the others find the first one's assignment afterwards. */
function firstOfEachUser(rows: readonly NewAssignment[]): NewAssignment[] {
  const seen = new Set<string>();
  return rows.filter((row) => {
    if (!row.isSticky) return true;
    const key = userKey(row);
    return !seen.has(key) && seen.add(key);
  });
}

export const hex = (nonce: Uint8Array) => Buffer.from(nonce).toString('hex');

/** Experiment ids are unique over all companies and hold no colon. */
export const userKey = ({ experimentId, userId }: CurrentAssignmentKey) => `${experimentId}:${userId}`;
