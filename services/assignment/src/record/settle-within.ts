export const lateResult = Symbol('late');

/**
 * The promise's outcome, or `lateResult` after `ms`; the promise goes on and may be waited for again.
 *
 * @param waiting holds, while this waits, a function that ends the wait as if the time were up
 */
export async function settleWithin<T>(
  promise: Promise<T>,
  ms: number,
  waiting?: Set<() => void>,
): Promise<T | typeof lateResult> {
  const { promise: late, resolve } = Promise.withResolvers<typeof lateResult>();
  // After a stall of this process timers fire first: an answer that has arrived meanwhile is read before giving up.
  const giveUp = () => setImmediate(() => setImmediate(resolve, lateResult));
  const timer = setTimeout(giveUp, ms);
  waiting?.add(giveUp);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    waiting?.delete(giveUp);
  }
}
