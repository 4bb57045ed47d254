export { betaBest } from './best/beta-best.ts';
export { studentBest } from './best/student-best.ts';
export { mergeLearners } from './context-free/merge-sums.ts';
export { klUpper } from './context-free/ucb-index.ts';
export { createLearner, decodeLearner, preparePolicy } from './create.ts';
export { drawBeta, drawGamma, drawNormal } from './draws.ts';
export { checkDailyWinner, logDailyEvidence, type PairDay } from './inference/daily-winner.ts';
export { type BestArm, judgeArms } from './inference/expected-loss.ts';
export type { Interval } from './inference/interval.ts';
export { classifyMaturity, type Maturity } from './inference/maturity.ts';
export {
  asymptoticInterval,
  boundedInterval,
  isAsymptotic,
  type NumericInterval,
  numericInterval,
  type ValueSums,
} from './inference/numeric-interval.ts';
export {
  addWeighted,
  directMethod,
  doublyRobust,
  estimateArmValues,
  estimatePolicyValue,
  type LoggedTrial,
  noWeightedSums,
  type PolicyValue,
  valueFromSums,
  type WeightedSums,
} from './inference/off-policy.ts';
export {
  type BettingState,
  betOnTrial,
  checkRandomisedWinner,
  startBetting,
} from './inference/randomisation.ts';
export { rateInterval } from './inference/rate-interval.ts';
export { checkSampleRatio, type SampleRatio } from './inference/sample-ratio.ts';
export { checkWinner, logWinnerEvidence, type RateCounts, type WinnerCheck } from './inference/winner.ts';
export { squareCb, squareCbGamma } from './linear/squarecb.ts';
export { trainNetwork } from './neural/train-network.ts';
export type * from './options.ts';
export { applyFloor, defaultFloor } from './pmf/apply-floor.ts';
export { capNewArms, findNewArms, newArmTrials } from './pmf/cap-new-arms.ts';
export { cumulate, drawArm } from './pmf/draw-arm.ts';
export { normalise } from './pmf/normalise.ts';
export { shareByWeight } from './pmf/share-by-weight.ts';
export type * from './policy.ts';
export { type ResolvedOptions, resolveOptions } from './resolve-options.ts';
export { createRng, decodeRng, type SeededRng } from './rng.ts';
export { laiRobbinsConstant } from './simulation/lai-robbins.ts';
export { type BernoulliGame, type BernoulliScore, playBernoulli } from './simulation/play-bernoulli.ts';
