import type { ArmSums } from '../policy.ts';

/** Part of the squared mean below which a variance from plain sums is rounding: of 10^9 +- 1, 10^5; of 1 +- 1, nothing. */
export const roundingPart = 1e-13;

/** Mean squared deviation of n > 0 rewards from their sums, and the largest that rounding in the sums can make of 0. */
export function roundedVariance({ n, s, s2 }: ArmSums): { variance: number; rounding: number } {
  const mean = s / n;
  return { variance: Math.max(0, s2 / n - mean * mean), rounding: roundingPart * mean * mean };
}
