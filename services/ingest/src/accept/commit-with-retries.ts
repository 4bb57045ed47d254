import { setTimeout as delay } from 'node:timers/promises';
import { limits } from '@bandit/contracts';
import { isStoreUnavailable } from '@bandit/db';

/**
 * Runs a commit again while the store is in trouble or nobody can say whether it was stored. Only for commits that
 * know a repeat by its identities. Bounded by number and by time, as the callers wait.
 *
 * @param nowMs any clock that does not go back
 * @throws the last error
 */
export async function commitWithRetries<T>(commit: () => Promise<T>, nowMs: () => number): Promise<T> {
  const startMs = nowMs();
  for (let nFailures = 0; ; ) {
    try {
      return await commit();
    } catch (error) {
      nFailures += 1;
      const isOver =
        nFailures > limits.groupCommitRetriesMax || nowMs() - startMs > limits.acceptRetryWindowMs;
      if (!isStoreUnavailable(error) || isOver) throw error;
      await delay(limits.acceptRetryDelayMs * 2 ** (nFailures - 1));
    }
  }
}
