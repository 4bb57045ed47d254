import { bernoulliDivergence } from '../special/bernoulli-divergence.ts';
import { lnBeta, lnBetaPeak } from '../special/ln-gamma.ts';

/**
 * ln of the Beta(a, b) mixture of likelihoods over the largest likelihood:
 * ln [B(a + s, b + n - s) / B(a, b)] - s ln(s/n) - (n - s) ln(1 - s/n), with 0 ln 0 = 0; always <= 0.
 *
 * Both parts grow with n while their difference is about -ln(n)/2, so it is computed as
 * -n d(s/n, x0) + a ln x0 + b ln(1 - x0) - lnPeak - ln B(a, b), x0 = (a + s) / (a + b + n): nothing large cancels.
 *
 * @param n trials >= 0; @param s successes 0 … n; @param a > 0; @param b > 0; @param lnPrior ln B(a, b) where known
 */
export function mixtureScore(n: number, s: number, a: number, b: number, lnPrior = lnBeta(a, b)): number {
  if (n === 0) return 0;
  const total = a + b + n;
  const x = (a + s) / total;
  const y = (b + n - s) / total;
  const mean = s / n;
  const shift = (a - (a + b) * mean) / total;
  const prior = a * Math.log(x) + b * Math.log(y) - lnPrior;
  return prior - n * bernoulliDivergence(mean, x, shift) - lnBetaPeak(a + s, b + n - s);
}
