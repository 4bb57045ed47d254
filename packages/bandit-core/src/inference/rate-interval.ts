import { bernoulliDivergence } from '../special/bernoulli-divergence.ts';
import { mixtureScore } from './beta-mixture.ts';
import { checkAlpha, checkCounts, type Interval } from './interval.ts';

/**
 * Confidence sequence for a success rate: it holds the true rate at all looks at once with probability >= 1 - alpha,
 * also on adaptively collected data, if the rate is constant and each user counts once.
 *
 * C = {p : ln B(.5 + s, .5 + n - s) - ln B(.5, .5) - s ln p - (n - s) ln(1 - p) < ln(1/alpha)}, by two bisections. Written as
 * n d(s/n, p) < ln(1/alpha) - (log of the mixture over the largest likelihood), so that no large numbers cancel.
 *
 * For K treatments at once pass alpha / K. Source: Howard et al., Time-uniform, nonparametric, nonasymptotic
 * confidence sequences, Annals of Statistics 49 (2021), the Beta-binomial mixture; Robbins (1970).
 *
 * @param counts trials n and successes s, 0 <= s <= n; n = 0 gives [0, 1]
 * @param alpha 0 < alpha < 1
 * @throws RangeError for counts or alpha out of range
 */
export function rateInterval(counts: { n: number; s: number }, alpha: number): Interval {
  checkAlpha(alpha);
  checkCounts(counts, 'rateInterval');
  const { n, s } = counts;
  if (n === 0) return { lower: 0, upper: 1 };
  const mean = s / n;
  const level = (-Math.log(alpha) - mixtureScore(n, s, 0.5, 0.5)) / n;
  const isInside = (p: number) => bernoulliDivergence(mean, p) < level;
  return {
    lower: s === 0 ? 0 : bisect(isInside, mean, 0),
    upper: s === n ? 1 : bisect(isInside, mean, 1),
  };
}

/** Boundary between `inside` (in the set) and `outside` (not in it), to the last digit. */
function bisect(isInside: (p: number) => boolean, inside: number, outside: number): number {
  let near = inside;
  let far = outside;
  for (let step = 0; step < 200; step++) {
    const middle = 0.5 * (near + far);
    if (middle === near || middle === far) break;
    if (isInside(middle)) near = middle;
    else far = middle;
  }
  return far;
}
