/** One logged trial with a known propensity, as seen by another policy. Self-reported trials never enter. */
export interface LoggedTrial {
  readonly armIndex: number;
  /** Exact probability of the draw, in (0, 1]. */
  readonly propensity: number;
  readonly reward: number;
  /** shape [K]: the other policy's probabilities for this context */
  readonly target: ArrayLike<number>;
  /** shape [K]: predicted rewards for this context; needed by `directMethod` and `doublyRobust` only */
  readonly predicted?: ArrayLike<number>;
}

/** Value of a policy estimated from another one's log. */
export interface PolicyValue {
  readonly nTrials: number;
  /** Mean of w r, w = target / propensity: unbiased. */
  readonly ips: number;
  /** Standard error of `ips`: s.d. of w r (n - 1) over sqrt n; undefined below two trials. */
  readonly ipsError: number | undefined;
  /** sum w r / sum w: biased by O(1/n), bounded by the rewards; undefined when all weights are 0. */
  readonly snips: number | undefined;
  /** Standard error of `snips` by linearisation: sqrt(sum w^2 (r - snips)^2) / sum w. */
  readonly snipsError: number | undefined;
  /** (sum w)^2 / sum w^2: how many trials of its own the estimate is worth. */
  readonly effectiveSize: number;
}

/**
 * IPS and SNIPS values of the policy given by each trial's `target`.
 *
 * @throws RangeError naming the position of the first trial with a bad propensity, reward, arm or target
 * Sources: Horvitz and Thompson (1952); Swaminathan and Joachims (2015); Owen, Monte Carlo theory (2013), chapter 9.
 */
export function estimatePolicyValue(trials: readonly LoggedTrial[]): PolicyValue {
  let sums = noWeightedSums;
  trials.forEach((trial, position) => {
    sums = addWeighted(sums, weightOf(trial, position), trial.reward);
  });
  return valueFromSums(sums);
}

/** Sums over trials of powers of the weight w and the reward r: all that IPS and SNIPS need. */
export interface WeightedSums {
  readonly n: number;
  readonly w: number;
  readonly wr: number;
  readonly w2: number;
  readonly w2r: number;
  readonly w2r2: number;
}

export const noWeightedSums: WeightedSums = { n: 0, w: 0, wr: 0, w2: 0, w2r: 0, w2r2: 0 };

/** Sums with one more trial of weight w and reward r. */
export function addWeighted(sums: WeightedSums, w: number, r: number): WeightedSums {
  return {
    n: sums.n + 1,
    w: sums.w + w,
    wr: sums.wr + w * r,
    w2: sums.w2 + w * w,
    w2r: sums.w2r + w * w * r,
    w2r2: sums.w2r2 + w * w * r * r,
  };
}

/** The estimates from sums; for the mean of one treatment, w = 1 / propensity on its own trials, 0 on the others. */
export function valueFromSums(sums: WeightedSums): PolicyValue {
  const { n, w, wr, w2, w2r, w2r2 } = sums;
  const ips = n > 0 ? wr / n : 0;
  const snips = w > 0 ? wr / w : undefined;
  const spread = snips === undefined ? 0 : Math.max(0, w2r2 - 2 * snips * w2r + snips * snips * w2);
  return {
    nTrials: n,
    ips,
    ipsError: n > 1 ? Math.sqrt(Math.max(0, w2r2 - n * ips * ips) / (n - 1) / n) : undefined,
    snips,
    snipsError: snips === undefined ? undefined : Math.sqrt(spread) / w,
    effectiveSize: w2 > 0 ? (w * w) / w2 : 0,
  };
}

/**
 * SNIPS mean reward of every treatment over all contexts, from logged propensities: what `s / n` is not when the
 * policy chose treatments by context.
 *
 * @param nArms K; trials of arms beyond are refused
 * @returns shape [K]
 */
export function estimateArmValues(
  trials: readonly Pick<LoggedTrial, 'armIndex' | 'propensity' | 'reward'>[],
  nArms: number,
): PolicyValue[] {
  const sums = Array.from({ length: nArms }, () => noWeightedSums);
  trials.forEach(({ armIndex, propensity, reward }, position) => {
    checkTrial(armIndex, propensity, reward, nArms, position);
    sums[armIndex] = addWeighted(sums[armIndex]!, 1 / propensity, reward);
  });
  // Trials of other arms have weight 0: they count in n alone.
  return sums.map((own) => valueFromSums({ ...own, n: trials.length }));
}

/** Mean over contexts of the policy's predicted reward; as good as the predictions. @throws RangeError without any */
export function directMethod(trials: readonly LoggedTrial[]): number {
  return trials.reduce((sum, trial, position) => sum + predictedValue(trial, position), 0) / trials.length;
}

/**
 * Doubly robust value: the direct method plus the weighted error of the predictions, w (r - predicted[arm]).
 * Unbiased with right propensities, whatever the predictions. Source: Dudik, Langford, Li (2011).
 */
export function doublyRobust(trials: readonly LoggedTrial[]): number {
  const total = trials.reduce((sum, trial, position) => {
    const error = trial.reward - (trial.predicted?.[trial.armIndex] ?? 0);
    return sum + predictedValue(trial, position) + weightOf(trial, position) * error;
  }, 0);
  return total / trials.length;
}

function predictedValue({ target, predicted }: LoggedTrial, position: number): number {
  if (!predicted || predicted.length !== target.length) {
    throw new RangeError(`trial ${position} needs one prediction for each of ${target.length} arms`);
  }
  let value = 0;
  for (let k = 0; k < target.length; k++) value += target[k]! * predicted[k]!;
  return value;
}

function weightOf({ armIndex, propensity, reward, target }: LoggedTrial, position: number): number {
  checkTrial(armIndex, propensity, reward, target.length, position);
  const probability = target[armIndex]!;
  if (!(probability >= 0 && probability <= 1)) {
    throw new RangeError(`target of trial ${position} must be between 0 and 1, got ${probability}`);
  }
  return probability / propensity;
}

function checkTrial(
  armIndex: number,
  propensity: number,
  reward: number,
  nArms: number,
  position: number,
): void {
  if (!(propensity > 0 && propensity <= 1)) {
    throw new RangeError(`propensity of trial ${position} must be above 0 and at most 1, got ${propensity}`);
  }
  if (!Number.isFinite(reward))
    throw new RangeError(`reward of trial ${position} must be finite, got ${reward}`);
  if (!(Number.isInteger(armIndex) && armIndex >= 0 && armIndex < nArms)) {
    throw new RangeError(`armIndex of trial ${position} must be an integer below ${nArms}, got ${armIndex}`);
  }
}
