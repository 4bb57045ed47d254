import { lnGamma } from './ln-gamma.ts';

/**
 * Upper regularised incomplete gamma function Q(a, x) = P(Gamma(a) > x); absolute error below 1e-13.
 *
 * @param a > 0; @param x >= 0
 * Source: Press et al., Numerical Recipes, 3rd ed. (2007), 6.2: series below a + 1, Lentz's fraction above.
 */
export function upperGamma(a: number, x: number): number {
  if (!(a > 0 && x >= 0)) throw new RangeError(`upperGamma needs a > 0 and x >= 0, got ${a} and ${x}`);
  if (x === 0) return 1;
  if (x === Infinity) return 0;
  const factor = Math.exp(a * Math.log(x) - x - lnGamma(a));
  return x < a + 1 ? 1 - factor * seriesSum(a, x) : factor * fraction(a, x);
}

/** P(chi-square with this many degrees of freedom > x). */
export function chiSquareTail(degrees: number, x: number): number {
  return upperGamma(degrees / 2, x / 2);
}

const nTermsMax = 100_000;

function seriesSum(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let k = 1; k < nTermsMax && term > 1e-17 * sum; k++) {
    term *= x / (a + k);
    sum += term;
  }
  return sum;
}

function fraction(a: number, x: number): number {
  let b = x + 1 - a;
  let c = 1e300;
  let d = 1 / b;
  let value = d;
  for (let k = 1; k < nTermsMax; k++) {
    const numerator = k * (a - k);
    b += 2;
    d = 1 / nonZero(b + numerator * d);
    c = nonZero(b + numerator / c);
    value *= c * d;
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return value;
}

function nonZero(value: number): number {
  return Math.abs(value) < 1e-300 ? 1e-300 : value;
}
