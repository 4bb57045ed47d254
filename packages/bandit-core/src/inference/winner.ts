import { bernoulliDivergence } from '../special/bernoulli-divergence.ts';
import { lnBeta } from '../special/ln-gamma.ts';
import { mixtureScore } from './beta-mixture.ts';
import { checkAlpha, checkCounts } from './interval.ts';

/** Trials and successes of one treatment, undiscounted, a user's first trial only. */
export interface RateCounts {
  readonly n: number;
  readonly s: number;
}

export interface WinnerCheck {
  /** Position of the treatment with the highest rate; undefined with fewer than two treatments tried. */
  readonly leader: number | undefined;
  /** ln of the evidence against the rival that is hardest to refute; -Infinity: none. */
  readonly logE: number;
  /** ln((K - 1) / alpha): what logE must reach. */
  readonly threshold: number;
  readonly isDeclared: boolean;
}

/**
 * Evidence that the leader's rate is above the other's: the Beta mixture of both likelihoods over the largest
 * likelihood with one common rate. An e-process: if the leader is not better, it ever reaches 1/a with probability <= a,
 * whatever the looks, the allocation and the stopping rule; rates must be constant.
 *
 * E = sum_(k,m) w BB(leader) BB(other) / [p^S (1-p)^(N-S)], BB = B(km + s, k(1-m) + n - s) / B(km, k(1-m)), p the pooled
 * rate, w uniform over k in 30, 100, 300 … 30,000 and 90 log-spaced m in .001 … .6.
 *
 * @returns ln E; -Infinity unless the leader's rate is the higher one
 * @throws RangeError unless 0 <= s <= n for both
 * Source: Robbins (1970); Grunwald, de Heide, Koolen, Safe testing (2024); grid and threshold from docs/maths/inference.md.
 */
export function logWinnerEvidence(leader: RateCounts, other: RateCounts): number {
  checkCounts(leader, 'leader');
  checkCounts(other, 'other');
  if (!isAbove(leader, other)) return -Infinity;
  return pooledCost(leader, other) + pairMixture(leader, other);
}

/** s_b/n_b > s_j/n_j; false where one has no trials. */
export function isAbove(leader: RateCounts, other: RateCounts): boolean {
  return leader.s * other.n > other.s * leader.n;
}

/** ln of the two separate largest likelihoods over the largest with one common rate, >= 0. */
export function pooledCost(a: RateCounts, b: RateCounts): number {
  const total = a.n + b.n;
  if (a.n === 0 || b.n === 0) return 0;
  const pooled = (a.s + b.s) / total;
  const gap = b.s / b.n - a.s / a.n;
  // pooled - mean_a = gap n_b / N, and pooled - mean_b = -gap n_a / N, without subtracting rates.
  const costA = a.n * bernoulliDivergence(a.s / a.n, pooled, (gap * b.n) / total);
  return costA + b.n * bernoulliDivergence(b.s / b.n, pooled, (-gap * a.n) / total);
}

/** ln of the mixture of both likelihoods over the product of their largest ones, <= 0. */
export function pairMixture(a: RateCounts, b: RateCounts): number {
  const scores = new Float64Array(priors.length);
  let best = -Infinity;
  for (let i = 0; i < priors.length; i++) {
    const { alpha, beta, lnB } = priors[i]!;
    const score = mixtureScore(a.n, a.s, alpha, beta, lnB) + mixtureScore(b.n, b.s, alpha, beta, lnB);
    scores[i] = score;
    if (score > best) best = score;
  }
  let sum = 0;
  for (const score of scores) sum += Math.exp(score - best);
  return best + Math.log(sum / priors.length);
}

const concentrations = [30, 100, 300, 1000, 3000, 10_000, 30_000];
const nRates = 90;
const priors = concentrations.flatMap((k) =>
  Array.from({ length: nRates }, (_, i) => {
    const m = 0.001 * 600 ** (i / (nRates - 1));
    const alpha = k * m;
    const beta = k * (1 - m);
    return { alpha, beta, lnB: lnBeta(alpha, beta) };
  }),
);

/**
 * Whether the treatment with the highest rate may be called the winner: its evidence against every other one is at
 * least (K - 1) / alpha. At most a share alpha of experiments ever declares a wrong winner, over all looks together.
 *
 * @param counts shape [K], treatments that could still be chosen
 * @param alpha 0 < alpha < 1
 * @param nServed treatments ever served, removed ones included; at least counts.length
 */
export function checkWinner(
  counts: readonly RateCounts[],
  alpha: number,
  nServed = counts.length,
): WinnerCheck {
  const evidence = (leader: number, other: number) => logWinnerEvidence(counts[leader]!, counts[other]!);
  return judgeLeader(leaderOf(counts), counts.length, alpha, nServed, evidence);
}

/**
 * Compares the weakest evidence for the leader with the threshold.
 *
 * @param leader undefined: nobody leads, nothing is declared
 * @param nArms treatments compared
 * @param evidence ln E of (leader, other)
 */
export function judgeLeader(
  leader: number | undefined,
  nArms: number,
  alpha: number,
  nServed: number,
  evidence: (leader: number, other: number) => number,
): WinnerCheck {
  checkAlpha(alpha);
  const threshold = Math.log(Math.max(1, Math.max(nServed, nArms) - 1) / alpha);
  if (leader === undefined) return { leader, logE: -Infinity, threshold, isDeclared: false };
  let logE = Infinity;
  for (let j = 0; j < nArms; j++) {
    if (j !== leader) logE = Math.min(logE, evidence(leader, j));
  }
  return { leader, logE, threshold, isDeclared: logE >= threshold };
}

function leaderOf(counts: readonly RateCounts[]): number | undefined {
  if (counts.length < 2) return undefined;
  let leader: number | undefined;
  counts.forEach((own, k) => {
    if (own.n > 0 && (leader === undefined || isAbove(own, counts[leader]!))) leader = k;
  });
  return leader;
}
