import { applyFloor, defaultFloor } from '../pmf/apply-floor.ts';
import { capNewArms, findNewArms } from '../pmf/cap-new-arms.ts';
import { normalise } from '../pmf/normalise.ts';
import type { Arm } from '../policy.ts';
import type { ResolvedOptions } from '../resolve-options.ts';
import { greedyEpsilon, greedyPmf } from './epsilon-greedy.ts';
import { type LiveSums, liveSums } from './live-sums.ts';
import { column, nArmsOf, nColumns, type SumsState } from './sums-state.ts';
import { bestConfidence, betaThompson, numericThompson } from './thompson.ts';
import { ucbPmf, virtualPullsMax } from './ucb.ts';

export interface Allocation {
  /** shape [arms]: 0 for arms that are not live; sums to 1 */
  readonly pmf: Float64Array;
  /** shape [arms]: P(best); 0 for arms that are not live */
  readonly confidence: Float64Array;
}

/**
 * Probabilities of a context-free policy: the algorithm's own PMF, new arms held to their share, then the floor.
 * Before the first trial all is shared by weight.
 *
 * @param nTrialsSinceLast B of ALGORITHMS rule 6, clamped to 1 … 10,000
 * @throws RangeError for a bad weight, or when no arm is live
 */
export function allocate(
  state: SumsState,
  arms: readonly Arm[],
  nTrialsSinceLast: number,
  options: ResolvedOptions,
): Allocation {
  const live = liveSums(state, arms, options);
  const confidence = bestConfidence(live, options);
  // Thompson sampling with the default prior is the confidence itself; the integral costs most of the publish.
  const own = isConfidencePmf(live, options) ? confidence : ownPmf(live, nTrialsSinceLast, options);
  return {
    pmf: spread(guardPmf(own, state, arms, live, options), live.armIndices, arms.length),
    confidence: spread(confidence, live.armIndices, arms.length),
  };
}

/**
 * The PMF of `allocate` over the live arms alone, without the confidence.
 * @returns shape [K], sums to 1
 */
export function livePmf(
  state: SumsState,
  arms: readonly Arm[],
  live: LiveSums,
  nTrialsSinceLast: number,
  options: ResolvedOptions,
): Float64Array {
  return guardPmf(ownPmf(live, nTrialsSinceLast, options), state, arms, live, options);
}

function isConfidencePmf(live: LiveSums, { algorithm, reward, prior }: ResolvedOptions): boolean {
  const isUniformPrior = prior.alpha === 1 && prior.beta === 1;
  return algorithm === 'THOMPSON_SAMPLING' && reward === 'binary' && isUniformPrior && live.nTotal > 0;
}

/** Holds new arms to their share and mixes the floor in. */
function guardPmf(
  own: Float64Array,
  state: SumsState,
  arms: readonly Arm[],
  live: LiveSums,
  options: ResolvedOptions,
): Float64Array {
  const capped = capNewArms(own, live.shares, isNewLive(state, arms, live));
  return normalise(applyFloor(capped, live.shares, explorationOf(state, live, options)), live.shares);
}

/** What the algorithm alone would do; by weight before the first trial. */
function ownPmf(live: LiveSums, nTrialsSinceLast: number, options: ResolvedOptions): Float64Array {
  if (live.nTotal === 0) return live.shares;
  switch (options.algorithm) {
    case 'EPSILON_GREEDY':
      return greedyPmf(live, options);
    case 'UCB1':
      return ucbPmf(live, clampPulls(nTrialsSinceLast), options);
    case 'THOMPSON_SAMPLING':
      return options.reward === 'binary' ? betaThompson(live, options.prior) : numericThompson(live);
    default:
      throw new RangeError(`${options.algorithm} is not a context-free algorithm`);
  }
}

function clampPulls(nTrialsSinceLast: number): number {
  return Math.min(virtualPullsMax, Math.max(1, Math.floor(nTrialsSinceLast) || 1));
}

function isNewLive(state: SumsState, arms: readonly Arm[], live: LiveSums): boolean[] {
  const read = (index: number, c: number, missing: number) =>
    index < nArmsOf(state) ? state.rows[index * nColumns + c]! : missing;
  return findNewArms(
    live.armIndices.map((index) => arms[index]!),
    live.shares,
    live.armIndices.map((index) => read(index, column.n, 0)),
    live.armIndices.map((index) => read(index, column.first, -1)),
    state.nTrials,
  );
}

/** Total probability shared by weight: the floor, or epsilon where that is larger. */
function explorationOf(state: SumsState, live: LiveSums, options: ResolvedOptions): number {
  const nLive = live.n.length;
  const floor = options.explorationFloor ?? defaultFloor(options.algorithm, nLive);
  if (options.algorithm !== 'EPSILON_GREEDY') return floor;
  return Math.max(floor, greedyEpsilon(state.nTrials, nLive, options));
}

function spread(values: Float64Array, indices: readonly number[], nArms: number): Float64Array {
  const all = new Float64Array(nArms);
  indices.forEach((index, k) => {
    all[index] = values[k]!;
  });
  return all;
}
