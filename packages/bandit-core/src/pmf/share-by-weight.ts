import type { Arm } from '../policy.ts';

/**
 * Shares of the live arms by weight, w_a / sum w; 0 for arms that are not live.
 *
 * @returns shape [arms.length], sums to 1
 * @throws RangeError naming the first live arm whose weight is not positive and finite, or when none is live
 */
export function shareByWeight(arms: readonly Arm[]): Float64Array {
  const shares = new Float64Array(arms.length);
  let total = 0;
  for (let i = 0; i < arms.length; i++) {
    const { isLive, weight } = arms[i]!;
    if (!isLive) continue;
    if (!(weight > 0 && weight < Infinity)) {
      throw new RangeError(`weight of arm ${i} must be positive and finite, got ${weight}`);
    }
    shares[i] = weight;
    total += weight;
  }
  if (total === 0) throw new RangeError(`at least one of ${arms.length} arms must be live`);
  for (let i = 0; i < shares.length; i++) shares[i]! /= total;
  return shares;
}
