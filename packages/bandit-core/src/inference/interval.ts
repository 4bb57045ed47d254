/** A set of values not refuted by the data. */
export interface Interval {
  readonly lower: number;
  readonly upper: number;
}

/** @throws RangeError unless 0 < alpha < 1 */
export function checkAlpha(alpha: number): void {
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`alpha must be between 0 and 1, got ${alpha}`);
}

/** @throws RangeError unless 0 <= s <= n */
export function checkCounts({ n, s }: { n: number; s: number }, name: string): void {
  if (n >= 0 && s >= 0 && s <= n && n < Infinity) return;
  throw new RangeError(`${name} needs 0 <= successes <= trials, got ${s} of ${n}`);
}
