import type { NewAssignment } from '@bandit/db';
import type { LateOutcome } from './bring-in.ts';
import type { AssignmentRecord } from './record-message.ts';

/** A decision that was answered and that this process has yet to bring into the database. */
export interface Unrecorded {
  readonly record: AssignmentRecord;
  /** RECORDS keeps it as well. */
  isKept: boolean;
  readonly onKept: () => void;
  readonly onDecided: (outcome: LateOutcome) => void;
}

/** Decisions that wait in this process's memory for the database, oldest first. A crash loses them. */
export class UnrecordedQueue {
  #waiting: Unrecorded[] = [];
  /** Those that nothing but this memory holds. */
  readonly #unkept = new Set<Unrecorded>();

  get length(): number {
    return this.#waiting.length;
  }

  get nUnkept(): number {
    return this.#unkept.size;
  }

  add(entry: Unrecorded): void {
    this.#waiting.push(entry);
    if (!entry.isKept) this.#unkept.add(entry);
  }

  takeOldest(n: number): Unrecorded[] {
    const taken = this.#waiting.slice(0, n);
    this.#waiting = this.#waiting.slice(n);
    for (const entry of taken) this.#unkept.delete(entry);
    return taken;
  }

  giveBack(entries: readonly Unrecorded[]): void {
    this.#waiting = [...entries, ...this.#waiting];
    for (const entry of entries) if (!entry.isKept) this.#unkept.add(entry);
  }

  oldestUnkept(n: number): Unrecorded[] {
    const oldest: Unrecorded[] = [];
    for (const entry of this.#unkept) {
      if (oldest.length === n) break;
      oldest.push(entry);
    }
    return oldest;
  }

  markKept(entry: Unrecorded): void {
    entry.isKept = true;
    this.#unkept.delete(entry);
    entry.onKept();
  }
}

export const rowsOf = (entries: readonly Unrecorded[]): NewAssignment[] =>
  entries.map(({ record }) => record.row);
