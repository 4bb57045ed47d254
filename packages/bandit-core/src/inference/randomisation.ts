import { checkAlpha } from './interval.ts';
import type { WinnerCheck } from './winner.ts';

/**
 * Evidence from the randomisation alone, for contextual policies: whatever the contexts and models, the logged draw was
 * fair, so D = 1{A = b} r / p_b - 1{A = j} r / p_j has the conditional mean r_b(x) - r_j(x). Bets with stakes chosen
 * before each trial, E = prod(1 + stake D), are an e-process against "b is nowhere better than j on average".
 *
 * State of all ordered pairs; small: three numbers a pair.
 */
export interface BettingState {
  readonly nArms: number;
  /** Declared lower bound e on every propensity: the stakes stay in [0, e/2], so that no factor is below 1/2. */
  readonly floor: number;
  /** shape [K * K], row b, column j: ln E of "b is better than j" */
  readonly logE: Float64Array;
  /** shape [K * K]: sums of D and D^2 so far, from which the next stake is taken */
  readonly sums: Float64Array;
  readonly squares: Float64Array;
}

/** @param floor 0 < floor <= 1 / nArms; without such a bound no winner can be declared */
export function startBetting(nArms: number, floor: number): BettingState {
  if (!(floor > 0 && floor <= 1 / nArms)) {
    throw new RangeError(
      `floor must be above 0 and at most 1/${nArms}, a bound on every propensity, got ${floor}`,
    );
  }
  const zeros = () => new Float64Array(nArms * nArms);
  return { nArms, floor, logE: zeros(), sums: zeros(), squares: zeros() };
}

/**
 * Folds one trial, in the order of assignment and with its final reward; changes `state`.
 *
 * The stake for pair (b, j) is the one that would have grown fastest so far, sum D / (sum D^2 + 1/e), clipped to [0, e/2]: it
 * uses earlier trials only. Trials of arms that are not in the pair, and rewards of 0, change nothing.
 *
 * @throws RangeError for a reward outside [0, 1] or a propensity below the declared floor
 * Source: Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, JRSS B 86 (2024);
 * Waudby-Smith et al., Anytime-valid off-policy inference for contextual bandits (2024).
 */
export function betOnTrial(
  state: BettingState,
  trial: { armIndex: number; propensity: number; reward: number },
): void {
  const { armIndex, propensity, reward } = trial;
  const { nArms, floor } = state;
  if (!(Number.isInteger(armIndex) && armIndex >= 0 && armIndex < nArms)) {
    throw new RangeError(`armIndex must be an integer below ${nArms}, got ${armIndex}`);
  }
  if (!(reward >= 0 && reward <= 1)) throw new RangeError(`reward must be between 0 and 1, got ${reward}`);
  // Probabilities mixed from the floor can miss it by their last digit.
  if (!(propensity >= floor * (1 - 1e-9) && propensity <= 1)) {
    throw new RangeError(`propensity must be between the declared floor ${floor} and 1, got ${propensity}`);
  }
  if (reward === 0) return;
  const d = reward / propensity;
  for (let other = 0; other < nArms; other++) {
    if (other === armIndex) continue;
    bet(state, armIndex * nArms + other, d);
    bet(state, other * nArms + armIndex, -d);
  }
}

function bet(state: BettingState, pair: number, d: number): void {
  const { floor, logE, sums, squares } = state;
  const stake = Math.min(floor / 2, Math.max(0, sums[pair]! / (squares[pair]! + 1 / floor)));
  logE[pair]! += Math.log1p(stake * d);
  sums[pair]! += d;
  squares[pair]! += d * d;
}

/**
 * The treatment whose evidence against every other one is largest, and whether it reaches K / alpha.
 *
 * K rather than the K - 1 of `checkWinner`: where all are equal, each of the K may be called the winner wrongly, and here
 * nothing but the threshold keeps the K chances together below alpha.
 *
 * @param arms which of the K are compared (live ones); @param nServed treatments ever served
 */
export function checkRandomisedWinner(
  state: BettingState,
  alpha: number,
  arms: readonly number[] = Array.from({ length: state.nArms }, (_, k) => k),
  nServed = state.nArms,
): WinnerCheck {
  checkAlpha(alpha);
  const threshold = Math.log(Math.max(nServed, arms.length, 1) / alpha);
  let leader: number | undefined;
  let logE = -Infinity;
  for (const b of arms.length > 1 ? arms : []) {
    const weakest = Math.min(...arms.filter((j) => j !== b).map((j) => state.logE[b * state.nArms + j]!));
    if (weakest > logE) [leader, logE] = [b, weakest];
  }
  return { leader, logE, threshold, isDeclared: logE >= threshold };
}
