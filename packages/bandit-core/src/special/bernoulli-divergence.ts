import { log1pMinus } from './log1p-minus.ts';

/**
 * Kullback-Leibler divergence of Bernoulli(p) from Bernoulli(q), p ln(p/q) + (1-p) ln((1-p)/(1-q)), with 0 ln 0 = 0.
 * No cancellation where q is near p: the first-order terms are left out, as they sum to 0.
 *
 * @param p 0 … 1; @param q 0 … 1; @param difference q - p where the caller knows it better than q - p would give it
 * @returns >= 0; Infinity where q excludes what p allows
 */
export function bernoulliDivergence(p: number, q: number, difference = q - p): number {
  if (p <= 0) return -Math.log1p(-q);
  if (p >= 1) return -Math.log(q);
  if (q <= 0 || q >= 1) return Infinity;
  return Math.max(0, -p * log1pMinus(difference / p) - (1 - p) * log1pMinus(-difference / (1 - p)));
}
