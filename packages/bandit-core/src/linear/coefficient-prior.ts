/** Entries of a context for which the configured precision holds as it is. */
const referenceEntries = 64;

/**
 * Prior precision of one coefficient, so that the prior of a whole context's log-odds is about as wide whatever the
 * number of keys: entries are 0, +-1 or standardised, so x'x is near the number of entries, and the prior variance
 * x'x / precision is 64 / lambda from 22 entries on. Below that it stays at a third of lambda: a
 * context of one or two keys is not a reason to believe extreme rates.
 *
 * @param lambda `regularization`, > 0
 * @param meanEntries `ContextEncoder.meanEntries`
 */
export function coefficientPrecision(lambda: number, meanEntries: number): number {
  return lambda * Math.max(1 / 3, meanEntries / referenceEntries);
}
