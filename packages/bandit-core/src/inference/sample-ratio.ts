import { chiSquareTail } from '../special/incomplete-gamma.ts';

export interface SampleRatio {
  /** sum (observed - expected)^2 / expected over treatments with an expected count. */
  readonly statistic: number;
  readonly degrees: number;
  /** P(chi-square >= statistic); below .001 something drops or misroutes assignments. */
  readonly pValue: number;
}

/**
 * Whether assignments arrived as the policy drew them: a chi-square test of the counts against the sums of the
 * logged probabilities. Where probabilities moved, the true variance is smaller than the test assumes, so its p-value
 * errs towards 1. Made for one look at a time, not for peeking.
 *
 * @param observed shape [K], assignments of each treatment
 * @param expected shape [K], for each treatment the sum over assignments of the probability it had at the draw
 * @throws RangeError for negative or non-finite counts, or an observed treatment that had probability 0
 * Source: Fabijan et al., Diagnosing sample ratio mismatch in online controlled experiments (KDD 2019).
 */
export function checkSampleRatio(observed: readonly number[], expected: readonly number[]): SampleRatio {
  let statistic = 0;
  let nCells = 0;
  observed.forEach((count, k) => {
    const mean = expected[k] ?? 0;
    if (!(count >= 0 && count < Infinity && mean >= 0 && mean < Infinity) || (mean === 0 && count > 0)) {
      throw new RangeError(
        `treatment ${k} needs finite counts >= 0 and an expected count above 0 where observed, got ${count} and ${mean}`,
      );
    }
    if (mean === 0) return;
    nCells++;
    statistic += (count - mean) ** 2 / mean;
  });
  const degrees = Math.max(0, nCells - 1);
  return { statistic, degrees, pValue: degrees === 0 ? 1 : chiSquareTail(degrees, statistic) };
}
