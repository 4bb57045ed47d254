import type { ResolvedOptions } from '../resolve-options.ts';
import type { LiveSums } from './live-sums.ts';

/** Upper confidence index of one arm: n trials (> 0), its mean and variance, and ln t. */
export type UcbIndex = (n: number, mean: number, variance: number, lnT: number) => number;

/**
 * The index of the configured variant.
 *
 * - `ucb1`: m + sqrt(2 ln t / n). - `tuned`: m + sqrt(ln t / n min(1/4, v + sqrt(2 ln t / n))).
 * - `kl`: the largest q with n d(m, q) <= ln t, d the Bernoulli divergence.
 *
 * They are for rewards in [0, 1]. Numeric rewards are measured in a unit U first: the width of `valueRange`, or, where
 * that is not configured, twice the pooled standard deviation, because a reward in [0, 1] has a deviation of at
 * most 1/2 and that is all the proofs use; `kl` then is the index for the normal law of that deviation.
 *
 * Sources: Auer, Cesa-Bianchi, Fischer (2002); Garivier and Cappe (2011), with c = 0.
 */
export function ucbIndexFor(live: LiveSums, options: ResolvedOptions): UcbIndex {
  const isBinary = options.reward === 'binary';
  const range = isBinary ? ([0, 1] as const) : options.valueRange;
  const unit = range ? range[1] - range[0] : 2 * Math.sqrt(live.pooledVariance);
  switch (options.variant) {
    case 'ucb1':
      return (n, mean, _variance, lnT) => mean + unit * Math.sqrt((2 * lnT) / n);
    case 'tuned':
      return (n, mean, variance, lnT) => mean + unit * tunedWidth(n, variance / (unit * unit || 1), lnT);
    case 'kl':
      if (!range) return (n, mean, _variance, lnT) => mean + 0.5 * unit * Math.sqrt((2 * lnT) / n);
      return (n, mean, _variance, lnT) => range[0] + unit * klUpper(clip((mean - range[0]) / unit), lnT / n);
  }
}

function tunedWidth(n: number, variance: number, lnT: number): number {
  return Math.sqrt((lnT / n) * Math.min(0.25, variance + Math.sqrt((2 * lnT) / n)));
}

/**
 * Largest q in [mean, 1] with d(mean, q) <= level, d(p, q) = p ln(p/q) + (1 - p) ln((1 - p)/(1 - q)).
 *
 * d is convex in q, so Newton's method from above falls onto the root without passing it. It starts at the
 * smallest of three bounds: d >= 2 (q - p)^2 (Pinsker), d >= (q - p)^2 / (2 q), and d >= -(1 - p) ln(1 - q) - H(p). Its error
 * squares with each step, so it ends after a step below 1e-8; three or four steps in practice.
 *
 * @param mean 0 … 1; @param level >= 0; absolute error below 1e-12
 */
export function klUpper(mean: number, level: number): number {
  if (mean >= 1 || level <= 0) return mean;
  if (mean === 0) return -Math.expm1(-level);
  const entropy = -mean * Math.log(mean) - (1 - mean) * Math.log1p(-mean);
  let q = Math.min(
    mean + Math.sqrt(level / 2),
    mean + level + Math.sqrt(level * (level + 2 * mean)),
    -Math.expm1(-(level + entropy) / (1 - mean)),
  );
  for (let step = 0; step < 60 && q > mean && q < 1; step++) {
    const excess = -entropy - mean * Math.log(q) - (1 - mean) * Math.log1p(-q) - level;
    const down = (excess * q * (1 - q)) / (q - mean);
    if (!(down > 0)) break;
    q -= down;
    if (down < 1e-8 * (1 - q) * q) break;
  }
  return Math.max(mean, q);
}

function clip(value: number): number {
  return Math.min(1, Math.max(0, value));
}
