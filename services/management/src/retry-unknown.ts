import { setTimeout } from 'node:timers/promises';
import { limits } from '@bandit/contracts';
import { isOutcomeUnknown, isStoreUnavailable } from '@bandit/db';

/** Doubled with each further try: 50 ms … 800 ms, 1.6 s in all. */
const firstPauseMs = 50;

/**
 * Runs a transaction again when nobody can say whether it was committed, and from then on also while the store is away:
 * only a run that reached it can tell. Bounded: the last error is thrown.
 *
 * @param run told whether an earlier run may have been committed
 */
export async function retryUnknown<T>(run: (isRerun: boolean) => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await run(attempt > 0);
    } catch (error) {
      const mayRetry = attempt === 0 ? isOutcomeUnknown(error) : isStoreUnavailable(error);
      if (!mayRetry || attempt >= limits.unknownOutcomeRetriesMax) throw error;
      await setTimeout(firstPauseMs * 2 ** attempt);
    }
  }
}
