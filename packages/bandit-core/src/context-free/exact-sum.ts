/**
 * Sums in double-double arithmetic: a value is the unevaluated sum of `values[at]` and the much smaller
 * `values[at + 1]`. About 32 digits, so that the order of rewards does not show and s2/n - (s/n)^2 stays right for
 * rewards like 10^9 +- 1. Source: Dekker, A floating-point technique for extending the available precision (1971).
 */

/** values[at] += term, exactly but for the 32nd digit. */
export function addExactly(values: Float64Array, at: number, term: number): void {
  const high = values[at]!;
  const sum = high + term;
  const back = sum - high;
  const lost = high - (sum - back) + (term - back);
  const low = values[at + 1]! + lost;
  values[at] = sum + low;
  values[at + 1] = low - (values[at]! - sum);
}

/**
 * values[at] += x y, with the rounding error of the product added too.
 * |x|, |y| and |x y| must stay below 1e290, or the splits overflow.
 */
export function addProductExactly(values: Float64Array, at: number, x: number, y: number): void {
  const product = x * y;
  const xHigh = highHalf(x);
  const yHigh = highHalf(y);
  const xLow = x - xHigh;
  const yLow = y - yHigh;
  addExactly(values, at, product);
  addExactly(values, at, xHigh * yHigh - product + xHigh * yLow + xLow * yHigh + xLow * yLow);
}

/** Upper 26 bits of a double (Veltkamp's split). */
function highHalf(x: number): number {
  const shifted = 134_217_729 * x;
  return shifted - (shifted - x);
}
