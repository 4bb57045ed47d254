/**
 * SquareCB: p_a = 1 / (K + gamma gap_a) for every arm but the best, which takes the rest (ties: the first of them).
 * Regret O(sqrt(K T)) for a regression oracle; every arm keeps a positive probability, and a stale model is
 * tolerated. Source: Foster & Rakhlin, Beyond UCB (2020), algorithm 1, with mu = K.
 *
 * @param predicted shape [K], predicted rewards
 * @param gamma >= 0; larger is greedier
 * @param out shape [K], becomes the PMF
 */
export function squareCb(predicted: Float64Array, gamma: number, out: Float64Array): void {
  const nArms = predicted.length;
  let best = 0;
  for (let a = 1; a < nArms; a++) if (predicted[a]! > predicted[best]!) best = a;
  let rest = 1;
  for (let a = 0; a < nArms; a++) {
    if (a === best) continue;
    out[a] = 1 / (nArms + gamma * (predicted[best]! - predicted[a]!));
    rest -= out[a]!;
  }
  out[best] = rest;
}

/** gamma = scale sqrt(max(1, t)). @param nTrials t, trials folded into the state */
export function squareCbGamma(scale: number, nTrials: number): number {
  return scale * Math.sqrt(Math.max(1, nTrials));
}
