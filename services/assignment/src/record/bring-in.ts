import { type CurrentAssignment, isDataError, type NewAssignment } from '@bandit/db';
import type { CommitOutcome } from './commit-group.ts';

/** What became of a decision that was answered without the database. */
export type LateOutcome =
  | Exclude<CommitOutcome, { kind: 'again' }>
  /** The database will never take it, for what it says. */
  | { readonly kind: 'refused'; readonly error: unknown };

export interface BringInDeps {
  commit(rows: readonly NewAssignment[]): Promise<readonly CommitOutcome[]>;
  /** Records decisions that come in after the one that followed them. */
  insertSuperseded(rows: readonly NewAssignment[]): Promise<unknown>;
  /** Brings the configuration up to date. Never rejects. */
  reloadConfiguration(): Promise<void>;
  /** Is this treatment served, as far as this process knows? */
  isLive(of: Pick<NewAssignment, 'companyId' | 'experimentId' | 'treatmentId'>): boolean;
}

/**
 * Brings in decisions that were answered without the database; those on record already are recognised by their nonces.
 * A row that the database refuses does not hold up its neighbours.
 *
 * @returns one outcome a row, in order; `held` names the assignment that stands, also where the row went on record as
 *   the one before it
 * @throws when the database is away, or cannot be used: bring in all of them again
 */
export async function bringIn(deps: BringInDeps, rows: readonly NewAssignment[]): Promise<LateOutcome[]> {
  const outcomes = new Array<LateOutcome>(rows.length);
  // In the order in which they were given: a user's later assignment follows the earlier one that was over.
  let left = rows
    .map((row, index) => ({ row, index }))
    .sort((a, b) => a.row.assignedAtMs - b.row.assignedAtMs);
  const superseded: NewAssignment[] = [];
  while (left.length > 0) {
    const again: typeof left = [];
    const reached = await commitApart(
      left.map(({ row }) => row),
      deps.commit,
    );
    // Whose treatment was removed is asked of what holds now: few rows lose, and it decides about a trial.
    if (reached.some(({ kind }) => kind === 'held')) await deps.reloadConfiguration();
    for (const [i, { row, index }] of left.entries()) {
      const outcome = reached[i]!;
      if (outcome.kind === 'again') again.push({ row, index });
      else if (outcome.kind !== 'held') outcomes[index] = outcome;
      else if (mayReplace(deps, row, outcome.by)) {
        again.push({ row: { ...row, droppedNonce: outcome.by.nonce }, index });
      } else {
        outcomes[index] = outcome;
        if (wasFollowed(deps, row, outcome.by)) superseded.push(row);
      }
    }
    const isStuck = again.length === left.length && again.every(({ row }, i) => row === left[i]!.row);
    if (isStuck) throw new Error(`${again.length} answered assignments could not be settled`);
    left = again;
  }
  if (superseded.length > 0) {
    await commitApart(superseded, async (group) => {
      await deps.insertSuperseded(group);
      return group.map(() => ({ kind: 'recorded' }) as const);
    });
  }
  return outcomes;
}

/** What stands is of a removed treatment, which nobody is served: whoever decided did not know about it. */
function mayReplace({ isLive }: BringInDeps, row: NewAssignment, by: CurrentAssignment): boolean {
  return row.isSticky && by.assignedAtMs <= row.assignedAtMs && !isLive(by) && isLive(row);
}

/** The one that stands was given when this one was over, or its treatment removed: both were right in their time. */
function wasFollowed({ isLive }: BringInDeps, row: NewAssignment, by: CurrentAssignment): boolean {
  return row.expiresAtMs <= by.assignedAtMs || (row.assignedAtMs <= by.assignedAtMs && !isLive(row));
}

type Apart = CommitOutcome | { readonly kind: 'refused'; readonly error: unknown };

/** Halves a group that is refused for a value until the row at fault stands alone. */
async function commitApart(
  rows: readonly NewAssignment[],
  commit: BringInDeps['commit'],
): Promise<readonly Apart[]> {
  try {
    return await commit(rows);
  } catch (error) {
    if (!isDataError(error)) throw error;
    if (rows.length === 1) return [{ kind: 'refused', error }];
    const middle = rows.length >> 1;
    const first = await commitApart(rows.slice(0, middle), commit);
    return [...first, ...(await commitApart(rows.slice(middle), commit))];
  }
}
