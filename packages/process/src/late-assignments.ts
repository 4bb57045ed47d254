import { ApiError, limits, type RecordStream } from '@bandit/contracts';

/** Assignments that were answered while the database was away, and are not in it yet. */
export interface LateAssignments {
  /**
   * For whoever found no assignment in the database: it may be one of these. Afterwards the database says it all.
   * While the bus is away nobody can tell, and what the database says holds.
   *
   * @throws ApiError STORE_UNAVAILABLE while some are on their way
   */
  assertNone(): Promise<void>;
}

/**
 * Looks into RECORDS, one look at a time: callers that come during one share the next, as what they ask about may have
 * been put since it began.
 */
export function createLateAssignments(records: Pick<RecordStream, 'isDrained'>): LateAssignments {
  let running: Promise<boolean> | undefined;
  let next: Promise<boolean> | undefined;
  const look = (): Promise<boolean> => {
    if (running === undefined) {
      running = records
        .isDrained(limits.recordsLookTimeoutMs)
        .catch(() => true)
        .finally(() => {
          running = undefined;
        });
      return running;
    }
    next ??= running.then(() => {
      next = undefined;
      return look();
    });
    return next;
  };
  return {
    assertNone: async () => {
      if (await look()) return;
      throw new ApiError(
        'STORE_UNAVAILABLE',
        'Assignments that were answered while the database was away are still on their way into it; try again.',
      );
    },
  };
}
