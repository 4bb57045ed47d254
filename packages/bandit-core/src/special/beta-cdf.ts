import { bernoulliDivergence } from './bernoulli-divergence.ts';
import { lnBetaPeak } from './ln-gamma.ts';

/**
 * Distribution function of Beta(a, b) at x; absolute error below 1e-12 for a, b up to 1e6.
 *
 * Lentz's continued fraction, on the side of the mean where it converges, in O(sqrt(max(a, b))) steps. The power in
 * front is written around the mode, so that large counts lose no digits.
 *
 * @param a > 0; @param b > 0; @param x 0 … 1
 * Source: Press et al., Numerical Recipes, 3rd ed. (2007), 6.4.
 */
export function betaCdf(x: number, a: number, b: number): number {
  if (!(a > 0 && b > 0)) throw new RangeError(`betaCdf needs a > 0 and b > 0, got ${a} and ${b}`);
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const power = Math.exp(lnBetaPeak(a, b) - (a + b) * bernoulliDivergence(a / (a + b), x));
  if (x < (a + 1) / (a + b + 2)) return (power * fraction(x, a, b)) / a;
  return 1 - (power * fraction(1 - x, b, a)) / b;
}

const nStepsMax = 200_000;

function fraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m < nStepsMax; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d);
    c = nonZero(1 + even / c);
    value *= c * d;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonZero(1 + odd * d);
    c = nonZero(1 + odd / c);
    value *= c * d;
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return value;
}

function nonZero(value: number): number {
  return Math.abs(value) < 1e-300 ? 1e-300 : value;
}
