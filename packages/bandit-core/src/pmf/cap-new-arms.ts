import type { Arm } from '../policy.ts';

/** Trials after which an arm added later is no longer held to its share. */
export const newArmTrials = 100;

/**
 * Holds arms that were added after the start to their share w_a / sum w until they have 100 trials; what they would
 * have taken beyond it goes to the other arms in proportion (by weight where those have nothing). Without it an
 * untried arm, Beta(1,1), against arms of 5 % takes nearly all traffic. ALGORITHMS rule 5.
 *
 * Applied before the floor: mixing with the shares keeps a probability that is at most its share at most its share.
 *
 * @param pmf shape [K], sums to 1
 * @param shares shape [K], `shareByWeight` of the live arms
 * @param isNew shape [K], `findNewArms`
 * @returns an array that sums to 1, `pmf` itself where no arm is new
 */
export function capNewArms(pmf: Float64Array, shares: Float64Array, isNew: readonly boolean[]): Float64Array {
  if (!isNew.includes(true)) return pmf;
  const capped = pmf.slice();
  const isHeld = new Float64Array(pmf.length);
  // A held arm frees probability that may lift another new arm over its share: at most K rounds.
  for (let round = 0; round < pmf.length; round++) {
    const over = capped.findIndex((p, i) => isNew[i] === true && isHeld[i] === 0 && p > shares[i]!);
    if (over < 0) break;
    for (let i = 0; i < capped.length; i++) {
      if (isNew[i] === true && capped[i]! >= shares[i]!) isHeld[i] = 1;
    }
    shareRest(capped, shares, isHeld);
  }
  return capped;
}

/** Sets held arms to their share and scales the others to what is left. */
function shareRest(pmf: Float64Array, shares: Float64Array, isHeld: Float64Array): void {
  let rest = 1;
  let free = 0;
  let freeShares = 0;
  for (let i = 0; i < pmf.length; i++) {
    if (isHeld[i] === 1) {
      rest -= shares[i]!;
    } else {
      free += pmf[i]!;
      freeShares += shares[i]!;
    }
  }
  for (let i = 0; i < pmf.length; i++) {
    if (isHeld[i] === 1) pmf[i] = shares[i]!;
    else if (free > 0) pmf[i] = Math.max(0, (pmf[i]! / free) * rest);
    else pmf[i] = freeShares > 0 ? Math.max(0, (shares[i]! / freeShares) * rest) : 0;
  }
}

/**
 * Which live arms are new: added after the start and still short of 100 trials.
 *
 * `Arm.isOriginal` decides where the caller says it. Where it is left out, the recorded trial numbers do: an
 * arm present from the start is served by weight while nothing is known, so its first trial comes early. One whose
 * first trial (or, untried, the trial count) lies beyond 20 / share would have been missed with probability below
 * e^-20 and is taken as added later. An original taken for new loses little: it is held to its own share.
 *
 * @param arms shape [K]
 * @param shares shape [K], `shareByWeight(arms)`
 * @param nTrials undiscounted trials of each arm; missing ones are 0
 * @param firstTrials trial number of each arm's first trial; missing or negative: none yet
 * @param nTrialsTotal trials of the learner's whole life
 */
export function findNewArms(
  arms: readonly Arm[],
  shares: Float64Array,
  nTrials: ArrayLike<number>,
  firstTrials: ArrayLike<number>,
  nTrialsTotal: number,
): boolean[] {
  return arms.map((arm, i) => {
    if (!arm.isLive || (nTrials[i] ?? 0) >= newArmTrials) return false;
    if (arm.isOriginal !== undefined) return !arm.isOriginal;
    const first = firstTrials[i] ?? -1;
    return (first < 0 ? nTrialsTotal : first) * shares[i]! > 20;
  });
}
