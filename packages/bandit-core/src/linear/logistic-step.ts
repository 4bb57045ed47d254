import { sigmoid } from './link.ts';

/** Newton steps with bisection as the fallback; bisection alone would need 40 for 1e-12. */
const stepsMax = 60;

/**
 * Most probable coefficients after one logistic trial under a Gaussian prior. They lie on the line theta + a P x, where
 * a solves a = r - sigmoid(eta + v a): one dimension, monotone, one root in [r - 1, r].
 *
 * ALGORITHMS' step a = (r - p) / (1 + p (1 - p) v) is the first Newton step from a = 0. It overshoots where v is large and
 * p near 0 or 1 (eta = -4.6, v = 64, r = 1 goes to +34 instead of +2.2); the root does not.
 *
 * @param eta x'theta before the trial
 * @param v x'Px >= 0
 * @param r reward, 0 … 1
 * @returns a, within 1e-12
 */
export function logisticStep(eta: number, v: number, r: number): number {
  let low = r - 1;
  let high = r;
  let a = (r - sigmoid(eta)) / (1 + 0.25 * v);
  for (let i = 0; i < stepsMax; i++) {
    const p = sigmoid(eta + v * a);
    const excess = a - r + p;
    if (excess > 0) high = a;
    else low = a;
    let next = a - excess / (1 + v * p * (1 - p));
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    if (Math.abs(next - a) < 1e-12) return next;
    a = next;
  }
  return a;
}
