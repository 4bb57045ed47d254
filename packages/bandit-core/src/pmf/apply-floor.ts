import type { Algorithm } from '../policy.ts';

/**
 * Mixes a PMF with the shares: p_a <- (1 - e) p_a + e share_a, so that every live arm has at least e share_a.
 *
 * @param pmf shape [K], sums to 1
 * @param shares shape [K], `shareByWeight` of the live arms
 * @param floor e, 0 … 1: the total probability shared by weight
 * @returns a new array; ALGORITHMS rule 1
 */
export function applyFloor(pmf: Float64Array, shares: Float64Array, floor: number): Float64Array {
  const floored = new Float64Array(pmf.length);
  for (let i = 0; i < pmf.length; i++) floored[i] = (1 - floor) * pmf[i]! + floor * shares[i]!;
  return floored;
}

/**
 * The floor of an experiment that configured none: min(.01 K, .10) for the context-free algorithms, 0 for the
 * contextual ones, whose explorer already gives every arm a probability above 0.
 *
 * @param nArms K, live arms
 */
export function defaultFloor(algorithm: Algorithm, nArms: number): number {
  const isContextual = algorithm === 'LINEAR_CONTEXTUAL' || algorithm === 'NEURAL_CONTEXTUAL';
  return isContextual ? 0 : Math.min(0.01 * nArms, 0.1);
}
