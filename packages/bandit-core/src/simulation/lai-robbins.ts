import { bernoulliDivergence } from '../special/bernoulli-divergence.ts';

/**
 * Constant of the Lai-Robbins lower bound for Bernoulli arms: no consistent policy's regret grows slower than this
 * times ln T. sum over worse arms of (best - mean) / d(mean, best).
 *
 * @param means shape [K], 0 … 1
 * Source: Lai and Robbins, Asymptotically efficient adaptive allocation rules (1985).
 */
export function laiRobbinsConstant(means: readonly number[]): number {
  const best = Math.max(...means);
  return means.reduce(
    (sum, mean) => (mean < best ? sum + (best - mean) / bernoulliDivergence(mean, best) : sum),
    0,
  );
}
