/**
 * The one interface that all five algorithms implement, in two halves.
 *
 * A **learner** lives where rewards arrive: it folds facts in a recorded order, and its state survives an
 * encode/decode round trip bit for bit. A **policy** lives where treatments are chosen: it is prepared once per
 * (serving state, live arms) and answers each request with one uniform number, synchronously.
 * Arms are known by index: the position a treatment was created at, stable for ever, removed ones included.
 */

export type Algorithm =
  | 'EPSILON_GREEDY'
  | 'UCB1'
  | 'THOMPSON_SAMPLING'
  | 'LINEAR_CONTEXTUAL'
  | 'NEURAL_CONTEXTUAL';

export type ContextValue = string | number | boolean;
/** What is known of a request: flat, bounded by the caller; every key may be missing or new. */
export type Context = Readonly<Record<string, ContextValue>>;

/** An arm as the operator configured it. `weight` > 0 is its share of exploration; a removed arm is not live. */
export interface Arm {
  readonly weight: number;
  readonly isLive: boolean;
  /**
   * True when the arm was there when the experiment first became active; false holds it to its share until it has
   * 100 trials (ALGORITHMS, rule 5). Left out, the recorded trial numbers decide: see `findNewArms`.
   */
  readonly isOriginal?: boolean;
}

/** One trial: an assignment was made. Counted as reward 0 until its reward arrives (ALGORITHMS, rule 3). */
export interface TrialFact {
  readonly kind: 'trial';
  readonly armIndex: number;
  readonly context: Context | undefined;
  /** Exact probability of the draw; undefined for self-reported trials. */
  readonly propensity: number | undefined;
  /** What `Decision.predictions` said at the draw; undefined where the policy logs none. */
  readonly predictions: readonly number[] | undefined;
}

/**
 * The reward of one assignment moved from `previous` to `reward` (the caller maps sources and takes their maximum;
 * ALGORITHMS, rule 4). First reward of an assignment: previous = 0.
 */
export interface RewardFact {
  readonly kind: 'reward';
  readonly armIndex: number;
  readonly context: Context | undefined;
  readonly propensity: number | undefined;
  readonly predictions: readonly number[] | undefined;
  readonly previous: number;
  readonly reward: number;
  /** True when `previous` is the "no reward yet" 0 rather than a recorded reward. */
  readonly isFirst: boolean;
  /** Position in the same chunk of this assignment's trial, if it is there. */
  readonly trialPosition: number | undefined;
  /** Trial number (0-based, as returned by `Learner.fold`) of this assignment; undefined when not recorded. */
  readonly trialNumber: number | undefined;
}

export type Fact = TrialFact | RewardFact;

/** Undiscounted sums of one arm: trials, sum of rewards, sum of squared rewards. */
export interface ArmSums {
  readonly n: number;
  readonly s: number;
  readonly s2: number;
}

export interface Learner {
  /**
   * Applies one chunk of facts in order. The result depends only on the sequence of chunks and swaps since
   * creation, so a rebuild that replays the recorded chunk boundaries gives the same state bit for bit.
   * All facts are checked before any is applied: a throw leaves the state unchanged.
   *
   * @returns the number of the chunk's first trial (trials are numbered 0, 1, 2 … in order over the whole life)
   * @throws RangeError naming the position and value of the first bad fact
   */
  fold(facts: readonly Fact[]): number;
  readonly nTrials: number;
  /** Sums per arm index seen so far; arms without facts may be missing at the end. */
  sums(): ArmSums[];
  /** The learner's whole state, versioned; `decodeLearner(options, encode())` continues bit for bit. */
  encode(): Uint8Array;
  /**
   * What serving needs, under 512 KB, with probabilities prepared for these arms where the algorithm is
   * context-free. `nTrialsSinceLast` is B of ALGORITHMS rule 6 (clamped to 1 … 10,000).
   */
  encodeServing(arms: readonly Arm[], nTrialsSinceLast: number): Uint8Array;
  /** Off-thread training; only NEURAL_CONTEXTUAL has it. */
  readonly training?: LearnerTraining;
}

/** Neural training is asked for by the learner, done by `trainNetwork` in a worker, swapped in as a recorded fact. */
export interface LearnerTraining {
  /** True when enough new trials came in since the last swap for a round to pay. */
  isDue(): boolean;
  /** Everything a worker needs (structured-cloneable, bounded); the seed is an argument so that it is recorded. */
  job(seed: number): TrainingJob;
  /** Starts to take a trained network in; serving goes on with the old one until `refitSlice` says done. */
  beginSwap(network: Uint8Array): void;
  /** Refits heads on at most `nRows` further replay rows. @returns true when the swap is complete. */
  refitSlice(nRows: number): boolean;
}

export interface TrainingJob {
  readonly seed: number;
  readonly nSteps: number;
  /** Opaque to the caller: rows, start weights, dimensions. */
  readonly payload: Uint8Array;
}

/** One choice. `propensity` is the exact probability with which `armIndex` was drawn. */
export interface Decision {
  readonly armIndex: number;
  readonly propensity: number;
  /** P(this arm is best | state, context), in [0, 1]. */
  readonly confidence: number;
  /** Numbers the learner wants back with the trial (neural: both models' predictions for the chosen arm). */
  readonly predictions: readonly number[] | undefined;
}

export interface Policy {
  /** @param uniform one number in [0, 1) from the caller's generator */
  decide(context: Context | undefined, uniform: number): Decision;
  /** Probability per arm index (0 for arms that are not live); sums to 1. */
  pmf(context: Context | undefined): Float64Array;
  /** P(best) per arm index (0 for arms that are not live). */
  confidence(context: Context | undefined): Float64Array;
}

/** A seeded generator; state is explicit so that a run can be replayed. */
export interface Rng {
  /** Uniform in [0, 1), 53 bits. */
  uniform(): number;
}
