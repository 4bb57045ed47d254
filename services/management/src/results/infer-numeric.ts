import type { ResultMethod } from '@bandit/contracts';
import { isAsymptotic, type NumericInterval, numericInterval } from '@bandit/core';
import {
  alpha,
  type FamilyInference,
  type InferredTreatment,
  type MeasuredTreatment,
} from './measured-treatment.ts';

type Range = readonly [number, number] | undefined;

/**
 * Context-free experiments with numeric rewards. A winner is a treatment whose simultaneous interval lies above those of
 * all other live ones; asymptotic intervals name one only when every live treatment has enough trials for them.
 */
export function inferNumeric(treatments: readonly MeasuredTreatment[], valueRange: Range): FamilyInference {
  const range = holdsAll(treatments, valueRange) ? valueRange : undefined;
  const intervalAt = (treatment: MeasuredTreatment, level: number) =>
    numericInterval(sumsOf(treatment), level, range);
  const nServed = treatments.filter(({ isLive, totals }) => isLive || totals.trials > 0).length;
  const live = treatments.filter((treatment) => treatment.isLive);
  const simultaneous = live.map((treatment) => intervalAt(treatment, alpha / Math.max(1, nServed)));
  const method = intervalMethod(range, valueRange);
  return {
    means: treatments.map(({ totals }) => (totals.trials === 0 ? null : totals.rewardSum / totals.trials)),
    intervals: treatments.map((treatment) =>
      treatment.totals.trials === 0 ? null : finite(intervalAt(treatment, alpha)),
    ),
    winner: separatedWinner(live, simultaneous, method),
    winnerIfRatesConstant: null,
    methods: {
      rewardMean: { name: 'reward sum / trials', kind: 'exact', assumes: 'nothing: a sum' },
      interval: method,
    },
  };
}

const sumsOf = ({ totals }: MeasuredTreatment) => ({
  n: totals.trials,
  s: totals.rewardSum,
  s2: totals.rewardSqSum,
});

/** A range that the rewards have left is no bound: a trial without reward counts 0. */
function holdsAll(treatments: readonly MeasuredTreatment[], range: Range): boolean {
  if (range === undefined) return false;
  const [low, high] = range;
  const width = high - low;
  return treatments.every(({ totals: { trials, rewardSum, rewardSqSum } }) => {
    if (trials === 0) return true;
    const mean = (rewardSum / trials - low) / width;
    const isMeanInside = mean >= 0 && mean <= 1;
    // x^2 <= (low + high) x - low high for every x in [low, high].
    const squaresMax = (low + high) * rewardSum - low * high * trials;
    return isMeanInside && rewardSqSum <= squaresMax + 1e-9 * Math.max(1, Math.abs(squaresMax));
  });
}

function intervalMethod(range: Range, configured: Range): ResultMethod {
  const holds = 'a constant mean per treatment; holds at every look, for each treatment by itself';
  if (range !== undefined) {
    return { name: 'empirical-Bernstein confidence sequence on valueRange', kind: 'exact', assumes: holds };
  }
  const left =
    configured === undefined ? 'without a configured valueRange' : 'rewards outside valueRange were seen';
  return { name: `asymptotic confidence sequence (${left})`, kind: 'asymptotic', assumes: holds };
}

function finite({ lower, upper }: NumericInterval): InferredTreatment['interval'] {
  return { lower: Number.isFinite(lower) ? lower : null, upper: Number.isFinite(upper) ? upper : null };
}

function separatedWinner(
  live: readonly MeasuredTreatment[],
  intervals: readonly NumericInterval[],
  interval: ResultMethod,
): FamilyInference['winner'] {
  const means = live.map(({ totals }) =>
    totals.trials === 0 ? Number.NEGATIVE_INFINITY : totals.rewardSum / totals.trials,
  );
  const top = Math.max(...means);
  const leader = Number.isFinite(top) && live.length > 1 ? means.indexOf(top) : -1;
  const isKnown = live.every(
    ({ totals }, k) =>
      intervals[k]!.kind === 'exact' || isAsymptotic({ n: totals.trials, nRewarded: totals.successes }),
  );
  const isDeclared =
    leader >= 0 &&
    isKnown &&
    intervals.every(({ upper }, k) => k === leader || upper < intervals[leader]!.lower);
  const name = leader < 0 ? '' : JSON.stringify(live[leader]!.name);
  const statement = isDeclared
    ? `${name} is the winner: its simultaneous interval lies above all others.`
    : leader < 0
      ? 'No treatment leads yet.'
      : isKnown
        ? `${name} leads, but its simultaneous interval overlaps another.`
        : `${name} leads, but asymptotic intervals take 1,000 trials and 30 rewards of each live treatment.`;
  return {
    isDeclared,
    leaderId: live[leader]?.id ?? null,
    logEvidence: null,
    logThreshold: null,
    statement,
    method: { ...interval, name: `separated simultaneous intervals: ${interval.name}` },
  };
}
