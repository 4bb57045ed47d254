/** How a head maps x'theta to a reward: binary rewards by the logistic function, numeric ones as they are. */
export type Link = 'logistic' | 'identity';

/** 1 / (1 + e^-eta); 0 and 1 at the far ends, never NaN for a number. */
export function sigmoid(eta: number): number {
  return 1 / (1 + Math.exp(-eta));
}

/** Log-odds of a probability inside (0, 1). */
export function logit(p: number): number {
  return Math.log(p / (1 - p));
}
