import { livePmf } from '../context-free/allocate.ts';
import { foldSums } from '../context-free/fold-sums.ts';
import { type LiveSums, liveSums } from '../context-free/live-sums.ts';
import { emptySums, type SumsState } from '../context-free/sums-state.ts';
import { drawBeta } from '../draws.ts';
import type { PolicySpec } from '../options.ts';
import { cumulate, drawArm } from '../pmf/draw-arm.ts';
import type { Arm, Fact, Rng } from '../policy.ts';
import { type ResolvedOptions, resolveOptions } from '../resolve-options.ts';

export interface BernoulliGame {
  readonly spec: PolicySpec;
  /** shape [K], 0 … 1: success rate of each arm */
  readonly means: readonly number[];
  /** From this step on the rates are those of `means` in reverse order; undefined: they never move. */
  readonly reverseAt?: number;
  readonly nSteps: number;
  /** Steps between state versions, >= 1; the policy knows everything older than the version. */
  readonly batch: number;
  /** Steps until a reward arrives, >= 0; its trial counts as 0 meanwhile (ALGORITHMS rule 3). */
  readonly delay: number;
  /**
   * True: trials too are learned only after the delay, together with their outcome. No platform can do that, since a
   * missing conversion never arrives; it tells what the pending zeros of rule 3 cost.
   */
  readonly isTrialLate?: boolean;
}

export interface BernoulliScore {
  /** Sum over steps of (largest rate - rate of the chosen arm). */
  readonly regret: number;
  /** shape [K]: share of the steps that each arm got, sums to 1 */
  readonly share: Float64Array;
}

/**
 * Plays one context-free algorithm against Bernoulli arms, through the same fold and allocation as a served policy.
 * Thompson sampling for binary rewards at floor 0 draws from the posteriors instead of integrating them: the same law,
 * a hundred times faster (test/simulation checks one against the other).
 *
 * @throws RangeError for a bad option, a rate outside 0 … 1, or a contextual algorithm
 */
export function playBernoulli(game: BernoulliGame, rng: Rng): BernoulliScore {
  checkGame(game);
  const options = resolveOptions(game.spec);
  const arms: Arm[] = game.means.map(() => ({ weight: 1, isLive: true, isOriginal: true }));
  const pulls = new Float64Array(arms.length);
  const best = Math.max(...game.means);
  const pending: PendingOutcome[] = [];
  let state = emptySums();
  let regret = 0;
  for (let step = 0; step < game.nSteps; step += game.batch) {
    const choose = chooser(state, arms, game.batch, options, rng);
    const facts: Fact[] = [];
    const end = Math.min(game.nSteps, step + game.batch);
    for (let trial = step; trial < end; trial++) {
      const armIndex = choose();
      const rate = rateAt(game, armIndex, trial);
      const isRewarded = rng.uniform() < rate;
      if (!game.isTrialLate) facts.push(trialFact(armIndex));
      if (isRewarded || game.isTrialLate) pending.push({ armIndex, trial, isRewarded });
      pulls[armIndex]! += 1;
      regret += best - rate;
    }
    takeArrived(pending, end - 1 - game.delay, facts, game.isTrialLate === true);
    state = foldSums(state, facts, options);
  }
  return { regret, share: pulls.map((count) => count / game.nSteps) };
}

interface PendingOutcome {
  readonly armIndex: number;
  readonly trial: number;
  readonly isRewarded: boolean;
}

function checkGame({ means, nSteps, batch, delay }: BernoulliGame): void {
  const bad = means.findIndex((mean) => !(mean >= 0 && mean <= 1));
  if (bad >= 0) throw new RangeError(`mean of arm ${bad} must be between 0 and 1, got ${means[bad]}`);
  if (means.length === 0) throw new RangeError('means must name at least one arm');
  for (const [name, value, low] of [
    ['nSteps', nSteps, 1],
    ['batch', batch, 1],
    ['delay', delay, 0],
  ] as const) {
    if (!Number.isInteger(value) || value < low)
      throw new RangeError(`${name} must be an integer >= ${low}, got ${value}`);
  }
}

function rateAt({ means, reverseAt = Infinity }: BernoulliGame, armIndex: number, trial: number): number {
  return means[trial < reverseAt ? armIndex : means.length - 1 - armIndex]!;
}

/** One function per state version that returns the next arm. */
function chooser(
  state: SumsState,
  arms: readonly Arm[],
  batch: number,
  options: ResolvedOptions,
  rng: Rng,
): () => number {
  const live = liveSums(state, arms, options);
  if (isSampled(options) && live.nTotal > 0) return () => drawThompsonArm(live, options.prior, rng);
  const cumulative = cumulate(livePmf(state, arms, live, batch, options));
  return () => drawArm(cumulative, rng.uniform());
}

function isSampled({ algorithm, reward, explorationFloor }: ResolvedOptions): boolean {
  return algorithm === 'THOMPSON_SAMPLING' && reward === 'binary' && explorationFloor === 0;
}

/** The arm whose rate, drawn from its Beta posterior, is the largest: arm k with probability P(k is best). */
export function drawThompsonArm(
  live: LiveSums,
  prior: { readonly alpha: number; readonly beta: number },
  rng: Rng,
): number {
  let best = 0;
  let largest = -1;
  for (let k = 0; k < live.n.length; k++) {
    const rate = drawBeta(rng, prior.alpha + live.s[k]!, prior.beta + Math.max(0, live.n[k]! - live.s[k]!));
    if (rate > largest) [best, largest] = [k, rate];
  }
  return best;
}

/** Moves the outcomes of trials up to `lastTrial` into the facts. */
function takeArrived(
  pending: PendingOutcome[],
  lastTrial: number,
  facts: Fact[],
  isTrialLate: boolean,
): void {
  let nArrived = 0;
  while (nArrived < pending.length && pending[nArrived]!.trial <= lastTrial) {
    const { armIndex, trial, isRewarded } = pending[nArrived]!;
    if (isTrialLate) facts.push(trialFact(armIndex));
    if (isRewarded) facts.push(rewardFact(armIndex, trial));
    nArrived++;
  }
  if (nArrived > 0) pending.splice(0, nArrived);
}

function trialFact(armIndex: number): Fact {
  return { kind: 'trial', armIndex, context: undefined, propensity: undefined, predictions: undefined };
}

function rewardFact(armIndex: number, trialNumber: number): Fact {
  return {
    kind: 'reward',
    armIndex,
    context: undefined,
    propensity: undefined,
    predictions: undefined,
    previous: 0,
    reward: 1,
    isFirst: true,
    trialPosition: undefined,
    trialNumber,
  };
}
