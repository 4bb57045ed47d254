/**
 * ln Gamma(x) - [(x - 1/2) ln x - x + ln(2 pi)/2]: Stirling's error, which tends to 1/(12 x).
 *
 * @param x > 0
 * @returns absolute error below 2e-16 for x >= 10, 1e-14 below
 * Source: Abramowitz and Stegun 6.1.41; the use of it in place of ln Gamma is Loader (2000), Fast and accurate
 * computation of binomial probabilities: differences of ln Gamma at large arguments lose no digits.
 */
export function stirlingError(x: number): number {
  let shifted = x;
  let correction = 0;
  // e(x) = e(x + 1) + (x + 1/2) ln(1 + 1/x) - 1, from Gamma(x + 1) = x Gamma(x).
  while (shifted < 10) {
    correction += (shifted + 0.5) * Math.log1p(1 / shifted) - 1;
    shifted += 1;
  }
  const y = 1 / (shifted * shifted);
  const series =
    1 / 12 -
    y *
      (1 / 360 -
        y *
          (1 / 1260 -
            y * (1 / 1680 - y * (1 / 1188 - y * (691 / 360_360 - y * (1 / 156 - (y * 3617) / 122_400))))));
  return series / shifted + correction;
}

const halfLnTwoPi = 0.9189385332046728;

/** ln Gamma(x) for x > 0; relative error about 1e-15 away from its zeros at 1 and 2, absolute 1e-14 near them. */
export function lnGamma(x: number): number {
  if (!(x > 0)) throw new RangeError(`lnGamma needs x > 0, got ${x}`);
  if (x === 1 || x === 2) return 0;
  if (x < 1e-8) return -Math.log(x) - 0.5772156649015329 * x;
  return (x - 0.5) * Math.log(x) - x + halfLnTwoPi + stirlingError(x);
}

/** ln B(a, b) = ln Gamma(a) + ln Gamma(b) - ln Gamma(a + b) for a, b > 0, without cancellation at large arguments. */
export function lnBeta(a: number, b: number): number {
  if (!(a > 0 && b > 0)) throw new RangeError(`lnBeta needs a > 0 and b > 0, got ${a} and ${b}`);
  const n = a + b;
  if (Math.min(a, b) < 1e-8) return lnGamma(a) + lnGamma(b) - lnGamma(n);
  const errors = stirlingError(a) + stirlingError(b) - stirlingError(n);
  const powers = (a - 0.5) * -Math.log1p(b / a) + b * -Math.log1p(a / b) - 0.5 * Math.log(b);
  return powers + halfLnTwoPi + errors;
}

/**
 * Height of the Beta(a, b) density over the log-odds at its mode x0 = a / (a + b): ln [x0^a (1 - x0)^b / B(a, b)].
 * Accurate to about 1e-14 absolute for any a, b > 0, where ln B itself has lost its decimals (Loader 2000).
 */
export function lnBetaPeak(a: number, b: number): number {
  const n = a + b;
  const spread = 0.5 * Math.log((a / n) * (b / (2 * Math.PI)));
  return spread + stirlingError(n) - stirlingError(a) - stirlingError(b);
}
