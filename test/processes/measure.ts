import type { Test } from 'tap';

const pauseMs = 5;
const giveUpMs = 20_000;

/** @returns milliseconds until `isThere` was first true; how long it was asked for when it never was */
export async function timeUntil(isThere: () => Promise<boolean>): Promise<number> {
  const startedAt = performance.now();
  while (!(await isThere()) && performance.now() - startedAt < giveUpMs)
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  return performance.now() - startedAt;
}

/** Says what was measured, and holds the 99th percentile against what is promised. */
export function assertWithin(t: Test, what: string, timesMs: readonly number[], promisedMs: number): void {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] as number;
  const figures = `p50 ${at(0.5).toFixed(0)} ms, p99 ${at(0.99).toFixed(0)} ms`;
  t.ok(at(0.99) <= promisedMs, `${what}: ${figures} of ${sorted.length}, promised ${promisedMs} ms`);
}
