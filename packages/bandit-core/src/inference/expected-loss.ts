import { betaBest, betaExpectedMax } from '../best/beta-best.ts';
import { studentBest, studentExpectedMax } from '../best/student-best.ts';
import { sumsAsLive } from '../context-free/live-sums.ts';
import { hasSpread, numericPosteriors } from '../context-free/thompson.ts';
import type { ArmSums } from '../policy.ts';
import { checkCounts } from './interval.ts';

export interface BestArm {
  /** P(this treatment has the highest mean), sums to 1. */
  readonly probabilityBest: number;
  /** Mean of (highest mean - this one's mean): what choosing it for ever costs a trial; >= 0, in units of the reward. */
  readonly expectedLoss: number;
}

/**
 * P(best) and expected loss of each treatment from its undiscounted sums. Binary: Beta(1 + s, 1 + n - s). Numeric:
 * Normal-inverse-gamma with the pooled prior; while the rewards have no spread, 1/K and 0.
 *
 * @param sums shape [K], K >= 1, the treatments compared (live ones)
 * @throws RangeError for sums out of range
 * Source: Stucchio, Bayesian A/B testing at VWO (2015), for the loss; see docs/maths/inference.md.
 */
export function judgeArms(sums: readonly ArmSums[], reward: 'binary' | 'numeric'): BestArm[] {
  return reward === 'binary' ? judgeRates(sums) : judgeMeans(sums);
}

function judgeRates(sums: readonly ArmSums[]): BestArm[] {
  sums.forEach((own, k) => {
    checkCounts(own, `treatment ${k}`);
  });
  const alphas = sums.map(({ s }) => 1 + s);
  const betas = sums.map(({ n, s }) => 1 + n - s);
  const top = betaExpectedMax(alphas, betas);
  const means = alphas.map((alpha, k) => alpha / (alpha + betas[k]!));
  return combine(betaBest(alphas, betas), top, means);
}

function judgeMeans(sums: readonly ArmSums[]): BestArm[] {
  sums.forEach(({ n, s, s2 }, k) => {
    if (n >= 0 && Number.isFinite(s) && s2 >= 0 && n + s2 < Infinity) return;
    throw new RangeError(
      `treatment ${k} needs finite sums with n >= 0 and s2 >= 0, got n ${n}, s ${s}, s2 ${s2}`,
    );
  });
  const live = sumsAsLive(sums);
  if (!hasSpread(live)) {
    return sums.map(() => ({ probabilityBest: 1 / sums.length, expectedLoss: 0 }));
  }
  const laws = numericPosteriors(live);
  return combine(
    studentBest(laws),
    studentExpectedMax(laws),
    laws.map(({ location }) => location),
  );
}

function combine(probabilities: Float64Array, top: number, means: readonly number[]): BestArm[] {
  return means.map((mean, k) => ({
    probabilityBest: probabilities[k]!,
    expectedLoss: Math.max(0, top - mean),
  }));
}
