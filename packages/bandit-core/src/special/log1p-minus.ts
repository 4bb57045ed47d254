/**
 * ln(1 + x) - x without cancellation near 0, x > -1; relative error about 1e-15.
 * Near 0 by the series in w = x / (2 + x): ln(1 + x) = 2 (w + w^3/3 + w^5/5 + ...).
 */
export function log1pMinus(x: number): number {
  if (x > 0.25 || x < -0.2) return Math.log1p(x) - x;
  const w = x / (2 + x);
  const y = w * w;
  const odd =
    1 / 3 +
    y * (1 / 5 + y * (1 / 7 + y * (1 / 9 + y * (1 / 11 + y * (1 / 13 + y * (1 / 15 + y * (1 / 17)))))));
  // 2w - x = -x w, exactly.
  return w * (2 * y * odd - x);
}
