import { checkDailyWinner, checkWinner, type RateCounts, rateInterval } from '@bandit/core';
import { alpha, type FamilyInference, type MeasuredTreatment } from './measured-treatment.ts';
import { stateWinner } from './state-winner.ts';

/** Context-free experiments with binary rewards: each user's first trial only, undiscounted. */
export function inferRates(treatments: readonly MeasuredTreatment[]): FamilyInference {
  const live = treatments.filter((treatment) => treatment.isLive);
  const nServed = treatments.filter(({ isLive, totals }) => isLive || totals.trials > 0).length;
  const daily = checkDailyWinner(countDays(live), alpha, nServed);
  const constant = checkWinner(live.map(firstCounts), alpha, nServed);
  return {
    means: treatments.map(({ totals }) => (totals.trials === 0 ? null : totals.rewardSum / totals.trials)),
    intervals: treatments.map((treatment) =>
      treatment.totals.trials === 0 ? null : rateInterval(firstCounts(treatment), alpha),
    ),
    winner: stateWinner(live, daily, {
      name: "product over UTC days of the day's e-process, Beta mixtures with a pooled rate for each day",
      kind: 'exact',
      assumes: "rates may move from day to day, not within a day; each user's first trial only",
    }),
    winnerIfRatesConstant: stateWinner(live, constant, {
      name: 'e-process, Beta mixtures with one pooled rate',
      kind: 'exact',
      assumes: "a constant rate per treatment; each user's first trial only",
    }),
    methods: {
      rewardMean: { name: 'successes / trials', kind: 'exact', assumes: 'nothing: a count' },
      interval: {
        name: 'Beta-mixture confidence sequence, one per treatment',
        kind: 'exact',
        assumes:
          "a constant rate per treatment, each user's first trial only; holds at every look, for each treatment by itself",
      },
    },
  };
}

const firstCounts = ({ totals }: MeasuredTreatment): RateCounts => ({
  n: totals.firstTrials,
  s: totals.firstSuccesses,
});

/** Shape [days][K]: every day on which any of them has a first trial. */
function countDays(live: readonly MeasuredTreatment[]): RateCounts[][] {
  const byDay = live.map((treatment) => new Map(treatment.days.map((day) => [day.day, day])));
  const days = [...new Set(byDay.flatMap((ofTreatment) => [...ofTreatment.keys()]))].sort();
  return days.map((day) =>
    byDay.map((ofTreatment) => {
      const counts = ofTreatment.get(day);
      return { n: counts?.first_trials ?? 0, s: counts?.first_successes ?? 0 };
    }),
  );
}
