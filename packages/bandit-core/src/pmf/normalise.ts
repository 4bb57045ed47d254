/**
 * Divides non-negative numbers by their sum.
 *
 * @returns a new array that sums to 1; `fallback` (copied) when the sum is 0, not finite, or an entry is negative
 */
export function normalise(values: ArrayLike<number>, fallback: ArrayLike<number>): Float64Array {
  let total = 0;
  let isValid = true;
  for (let i = 0; i < values.length; i++) {
    total += values[i]!;
    isValid &&= values[i]! >= 0;
  }
  if (!isValid || !(total > 0 && total < Infinity)) return Float64Array.from(fallback);
  const pmf = new Float64Array(values.length);
  for (let i = 0; i < pmf.length; i++) pmf[i] = values[i]! / total;
  return pmf;
}
