import { ApiError, limits, type RecordStream } from '@bandit/contracts';

/** Assignments that were answered while the database was away, and are not in it yet. */
export interface LateAssignments {
  /**
   * For whoever found no assignment in the database: it may be one of these. Afterwards the database says it all.
   * Where nobody can tell, as the bus is away or slow, they are expected for a while after the database was last away;
   * else what the database says holds.
   *
   * @throws ApiError STORE_UNAVAILABLE while some are on their way, or may be
   */
  assertNone(): Promise<void>;
}

/**
 * Looks into RECORDS, one look at a time: callers that come during one share the next, as what they ask about may have
 * been put since it began.
 *
 * @param sinceTroubleMs since the database was last seen away or slow by this process
 */
export function createLateAssignments(
  records: Pick<RecordStream, 'isDrained'>,
  sinceTroubleMs: () => number,
): LateAssignments {
  let running: Promise<boolean> | undefined;
  let next: Promise<boolean> | undefined;
  const look = (): Promise<boolean> => {
    if (running === undefined) {
      running = records
        .isDrained(limits.recordsLookTimeoutMs)
        .catch(() => sinceTroubleMs() > limits.lateAssignmentsMs)
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
