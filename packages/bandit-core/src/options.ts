/**
 * Options of the five algorithms, resolved: every default filled in. The closed schemas that validate what a
 * client sends (`algorithmConfig`) live in contracts and must stay assignable to the `…Config` types here.
 * The reason and source for each default stands in docs/maths.
 */
import type { Algorithm } from './policy.ts';

export interface CommonConfig {
  /** How an assignment's reward is read: any conversion is 1, or its value. Default 'binary'. */
  reward?: 'binary' | 'numeric';
  /** Seconds after the assignment in which a reward still teaches; 0 = no limit. Default 0. */
  attributionWindow?: number;
  /**
   * Total probability shared by weight over all live treatments, 0 … 1.
   * Default min(.01 K, .10) for context-free algorithms, 0 for contextual ones.
   */
  explorationFloor?: number;
  /** [low, high] that numeric rewards are known to lie in: unlocks non-asymptotic intervals. */
  valueRange?: [number, number];
}

export interface ContextFreeConfig extends CommonConfig {
  /** Weight g of a trial decays as g^(age in trials), .9 … 1. Default 1 (never forgets). */
  discount?: number;
}

export interface EpsilonGreedyConfig extends ContextFreeConfig {
  /** Exploration probability, 0 … 1. Default .1. */
  epsilon?: number;
  /** c of epsilon_t = min(1, cK/t); given, it replaces `epsilon`. > 0, up to 1e9. */
  decay?: number;
}

export interface Ucb1Config extends ContextFreeConfig {
  /** Index: m + sqrt(2 ln t / n), the same with the arm's own variance, or the Kullback-Leibler bound. Default 'ucb1'. */
  variant?: 'ucb1' | 'tuned' | 'kl';
}

export interface ThompsonConfig extends ContextFreeConfig {
  /** Beta prior in pseudo-counts for binary rewards, each > 0 up to 1e6. Default {alpha: 1, beta: 1}. */
  prior?: { alpha: number; beta: number };
}

export interface ContextualConfig extends CommonConfig {
  /** What turns predictions into probabilities: the gap to the best, or P(best). Default 'squarecb'. */
  explorer?: 'squarecb' | 'thompson';
  /** Scale of SquareCB's gamma = gammaScale * sqrt(max(1, t)), > 0 up to 1e9. Default 100. */
  gammaScale?: number;
  /** Ridge precision lambda, > 0 up to 1e9, scaled by the size of contexts (`coefficientPrecision`). Default 3. */
  regularization?: number;
}

export interface LinearConfig extends ContextualConfig {}
export interface NeuralConfig extends ContextualConfig {}

export type AlgorithmConfig = EpsilonGreedyConfig | Ucb1Config | ThompsonConfig | LinearConfig | NeuralConfig;

/** What `createLearner` and `preparePolicy` take: the algorithm and what the client configured. */
export interface PolicySpec {
  readonly algorithm: Algorithm;
  readonly config: AlgorithmConfig;
}
