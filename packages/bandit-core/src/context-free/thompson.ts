import { betaBest } from '../best/beta-best.ts';
import { type StudentLaw, studentBest } from '../best/student-best.ts';
import type { ResolvedOptions } from '../resolve-options.ts';
import type { LiveSums } from './live-sums.ts';

/**
 * P(each arm's rate is the highest) when rewards are 0 or 1 and rates have Beta(alpha, beta) priors: the exact
 * probability with which Thompson sampling would choose it.
 *
 * @returns shape [K], sums to 1
 */
export function betaThompson(live: LiveSums, prior: { alpha: number; beta: number }): Float64Array {
  return betaBest(
    live.s.map((s) => prior.alpha + s),
    live.n.map((n, k) => prior.beta + Math.max(0, n - live.s[k]!)),
  );
}

/**
 * P(each arm's mean is the highest) for numeric rewards, from `numericPosteriors`.
 *
 * @returns shape [K], sums to 1; the shares by weight until the rewards have a spread
 */
export function numericThompson(live: LiveSums): Float64Array {
  // Without spread in the rewards nothing is known about how far a mean can be off.
  return hasSpread(live) ? studentBest(numericPosteriors(live)) : live.shares.slice();
}

/** Whether rewards differ at all. Variances below 1e-280 are taken for 0: their parts would underflow. */
export function hasSpread({ pooledVariance }: LiveSums): boolean {
  return pooledVariance > 1e-280;
}

/**
 * Posteriors of the means of numeric rewards: Normal-inverse-gamma from one prior that is the pooled sample itself: m0 =
 * pooled mean, kappa0 = 1, a0 = 1, b0 = pooled variance, so that shifting or scaling all rewards together changes
 * nothing. The mean of arm k is then Student-t with 2 a degrees of freedom, location m0 + n (x - m0)/(1 + n), scale
 * sqrt(b / (a (1 + n))), a = 1 + n/2, b = b0 + n v/2 + n (x - m0)^2 / (2 (1 + n)), with x and v the arm's mean and variance.
 *
 * @param live with `hasSpread`
 * @returns shape [K]; locations measured from the pooled mean, so that a large common offset costs no digits
 * Source: Gelman et al., Bayesian Data Analysis, 3rd ed. (2013), section 3.3.
 */
export function numericPosteriors(live: LiveSums): StudentLaw[] {
  return Array.from(live.n, (n, k) => {
    const offset = n > 0 ? live.mean[k]! - live.pooledMean : 0;
    const kappa = 1 + n;
    const a = 1 + n / 2;
    const b = live.pooledVariance + 0.5 * n * live.variance[k]! + (0.5 * n * offset * offset) / kappa;
    return { location: (n / kappa) * offset, scale: Math.sqrt(b / (a * kappa)), degrees: 2 * a };
  });
}

/** P(each arm is the best one | state), whatever the policy: Beta(1 + s, 1 + n - s) or Normal-inverse-gamma. */
export function bestConfidence(live: LiveSums, options: ResolvedOptions): Float64Array {
  if (options.reward === 'binary') return betaThompson(live, { alpha: 1, beta: 1 });
  return hasSpread(live) ? numericThompson(live) : live.n.map(() => 1 / live.n.length);
}
