export const lateResult = Symbol('late');

/** The promise's outcome, or `lateResult` after `ms`; the promise goes on and may be waited for again. */
export async function settleWithin<T>(promise: Promise<T>, ms: number): Promise<T | typeof lateResult> {
  const { promise: late, resolve } = Promise.withResolvers<typeof lateResult>();
  // After a stall of this process timers fire first: an answer that has arrived meanwhile is read before giving up.
  const timer = setTimeout(() => setImmediate(() => setImmediate(resolve, lateResult)), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
