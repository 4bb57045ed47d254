import { limits, type ResultMethod, type WinnerStatement } from '@bandit/contracts';
import { betOnTrial, checkRandomisedWinner, type ResolvedOptions, startBetting } from '@bandit/core';
import type { RewardedTrial } from '@bandit/db';
import { alpha, type MeasuredTreatment } from './measured-treatment.ts';
import { noWinner, stateWinner } from './state-winner.ts';

/** The log of a contextual experiment, as far as a winner needs it. */
export interface ContextualLog {
  /** All rewarded, matured draws in the order of the log; undefined when they are too many to read. */
  readonly rewarded: readonly RewardedTrial[] | undefined;
  /** By arm index, removed ones included: each > 0. */
  readonly weights: readonly number[];
}

/** True when a winner could be declared at all: a floor bounds every propensity, and rewards lie in [0, 1]. */
export function canDeclareWinner(options: ResolvedOptions): boolean {
  const [low, high] = options.valueRange ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const isUnitReward = options.reward === 'binary' || (low >= 0 && high <= 1);
  return isUnitReward && (options.explorationFloor ?? 0) > 0;
}

/**
 * Winner of a contextual experiment from its randomisation alone: contexts and models may be anything.
 *
 * @param treatments by arm index
 */
export function declareContextualWinner(
  options: ResolvedOptions,
  treatments: readonly MeasuredTreatment[],
  log: ContextualLog | undefined,
): WinnerStatement {
  if (!canDeclareWinner(options) || log === undefined || log.weights.length === 0) return refuse(needsFloor);
  if (log.rewarded === undefined) return refuse(tooLong);
  // Floors are shared by weight over what was live then: over all that ever were, the share is smaller still.
  const total = log.weights.reduce((sum, weight) => sum + weight, 0);
  const floor = ((options.explorationFloor ?? 0) * Math.min(...log.weights)) / total;
  const betting = startBetting(treatments.length, floor);
  const armOf = new Map(treatments.map((treatment, armIndex) => [treatment.id, armIndex]));
  try {
    for (const { treatmentId, propensity, reward } of log.rewarded) {
      betOnTrial(betting, { armIndex: armOf.get(treatmentId) ?? -1, propensity, reward });
    }
  } catch (error) {
    if (error instanceof RangeError) return refuse(outOfBounds);
    throw error;
  }
  return judge(treatments, betting);
}

function judge(
  treatments: readonly MeasuredTreatment[],
  betting: ReturnType<typeof startBetting>,
): WinnerStatement {
  const arms = treatments.flatMap((treatment, armIndex) => (treatment.isLive ? [armIndex] : []));
  const nServed = treatments.filter(({ isLive, totals }) => isLive || totals.trials > 0).length;
  const check = checkRandomisedWinner(betting, alpha, arms, nServed);
  // The check names arms, and one of them also where there is no evidence; the statement names live treatments.
  const isAhead = check.leader !== undefined && check.logE > 0;
  const leader = isAhead ? arms.indexOf(check.leader as number) : undefined;
  const live = treatments.filter((treatment) => treatment.isLive);
  return stateWinner(live, { ...check, leader }, method);
}

const method: ResultMethod = {
  name: 'randomisation e-process over matured trials, stakes from the declared floor',
  kind: 'exact',
  assumes:
    'the logged propensities and the exploration floor; nothing about contexts, models or constant rates',
};
const none: ResultMethod = {
  name: 'not available',
  kind: 'none',
  assumes: 'takes an explorationFloor above 0 and rewards in [0, 1]',
};

const needsFloor =
  'No winner is declared for a contextual algorithm without a lower bound on every propensity: configure explorationFloor, and rewards in [0, 1].';
const tooLong = `No winner is declared: the history is longer than the ${limits.resultsLogTrialsMax} trials that are read for it.`;
const outOfBounds = 'No winner is declared: a logged propensity or reward lies outside its declared bounds.';

const refuse = (statement: string): WinnerStatement => noWinner(statement, none);
