/** What became of decisions that were answered without the database. Plain counters, read when metrics are scraped. */
export interface LateCounts {
  /** Attempts to put a record into RECORDS. */
  readonly puts: { kept: number; failed: number };
  /** From this process's memory. */
  readonly fromMemory: OutcomeCounts;
  /** From RECORDS, whichever process put them. */
  readonly fromRecords: OutcomeCounts;
}

/**
 * `recorded`: on record now, or already; `held`: the user's assignment is another one; `refused`: can never be;
 * `erased`: its user was erased since. */
export type OutcomeCounts = Record<'recorded' | 'held' | 'refused' | 'erased', number>;

export function createLateCounts(): LateCounts {
  const zeros = () => ({ recorded: 0, held: 0, refused: 0, erased: 0 });
  return { puts: { kept: 0, failed: 0 }, fromMemory: zeros(), fromRecords: zeros() };
}
