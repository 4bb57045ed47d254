/** One headline of a recorded test: how often it was shown and clicked. */
export interface HeadlineCounts {
  readonly impressions: number;
  readonly clicks: number;
}

/**
 * Click rates shrunk towards the mean of their own test: (clicks + k m) / (impressions + k), m = the test's clicks over
 * its impressions. The highest of several measured rates is too high by chance; shrinking takes that part out, so
 * that the simulated headlines do not differ more than the real ones did.
 *
 * @param headlines shape [K], impressions > 0
 * @param strength k >= 0 in pseudo-impressions, as `shrinkageStrength` finds it
 * @returns shape [K], each in (0, 1)
 */
export function shrunkClickRates(headlines: readonly HeadlineCounts[], strength: number): number[] {
  const mean = pooledRate(headlines);
  return headlines.map(({ clicks, impressions }) => (clicks + strength * mean) / (impressions + strength));
}

/**
 * k of `shrunkClickRates` by the method of moments over many tests: with rho = 1 / (k + 1) the share of the variance
 * m(1 - m) that is real difference between headlines, a test's Q = sum n (p - m)^2 / (m (1 - m)) has the expectation
 * (K - 1) + rho (N - sum n^2 / N) up to terms of order rho (DerSimonian and Laird 1986).
 *
 * @throws RangeError when the rates differ no more than chance makes them
 */
export function shrinkageStrength(tests: readonly (readonly HeadlineCounts[])[]): number {
  let excess = 0;
  let weight = 0;
  for (const headlines of tests) {
    const mean = pooledRate(headlines);
    if (headlines.length < 2 || mean <= 0 || mean >= 1) continue;
    const nTotal = sum(headlines.map(({ impressions }) => impressions));
    const spread = sum(headlines.map((h) => h.impressions * (h.clicks / h.impressions - mean) ** 2));
    excess += spread / (mean * (1 - mean)) - (headlines.length - 1);
    weight += nTotal - sum(headlines.map(({ impressions }) => impressions ** 2)) / nTotal;
  }
  if (!(excess > 0)) throw new RangeError(`headlines differ no more than chance over ${tests.length} tests`);
  return weight / excess - 1;
}

function pooledRate(headlines: readonly HeadlineCounts[]): number {
  return sum(headlines.map(({ clicks }) => clicks)) / sum(headlines.map(({ impressions }) => impressions));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
