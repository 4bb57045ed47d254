/**
 * Running sums of a PMF for `drawArm`. The last arm with a positive probability and all after it get Infinity, so
 * that rounding in the sums can never leave a uniform number unanswered.
 */
export function cumulate(pmf: Float64Array): Float64Array {
  const cumulative = new Float64Array(pmf.length);
  let sum = 0;
  let last = 0;
  for (let i = 0; i < pmf.length; i++) {
    sum += pmf[i]!;
    cumulative[i] = sum;
    if (pmf[i]! > 0) last = i;
  }
  return cumulative.fill(Infinity, last);
}

/**
 * First arm whose running sum exceeds the uniform number: arm i with probability pmf[i], never one of probability 0.
 *
 * @param cumulative what `cumulate` returned, not empty
 * @param uniform in [0, 1)
 */
export function drawArm(cumulative: Float64Array, uniform: number): number {
  let arm = 0;
  while (uniform >= cumulative[arm]!) arm++;
  return arm;
}
