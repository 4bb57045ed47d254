/**
 * Standard normal distribution function; relative error below 1e-14 in the lower tail too, which never cancels.
 * Near 0 by the Taylor series of odd double factorials, beyond 5 by the continued fraction of Mills' ratio.
 * Source: Abramowitz and Stegun 26.2.11 and 26.2.14.
 */
export function normalCdf(x: number): number {
  const size = Math.abs(x);
  const tail = size > 5 ? upperTail(size) : undefined;
  if (tail !== undefined) return x < 0 ? tail : 1 - tail;
  if (x < -1) return upperTailNear(size);
  if (x > 1) return 1 - upperTailNear(size);
  return 0.5 + normalDensity(x) * oddSeries(x);
}

export function normalDensity(x: number): number {
  return 0.3989422804014327 * Math.exp(-0.5 * x * x);
}

function oddSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum) && k < 300; k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return sum;
}

/** P(X > x) for x > 5: density / (x + 1/(x + 2/(x + ...))). */
function upperTail(x: number): number {
  let fraction = x;
  for (let k = 40; k >= 1; k--) fraction = x + k / fraction;
  return normalDensity(x) / fraction;
}

/** P(X > x) for 1 <= x <= 5, where the same fraction needs more steps. */
function upperTailNear(x: number): number {
  let fraction = x;
  for (let k = 400; k >= 1; k--) fraction = x + k / fraction;
  return normalDensity(x) / fraction;
}
