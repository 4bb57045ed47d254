import type { DaySums } from '@bandit/db';

/** Day sums of a base and of what came after it, added up. */
export function addDays(base: readonly DaySums[], later: readonly DaySums[]): DaySums[] {
  const sums = new Map(base.map((day) => [nameOf(day), day]));
  for (const day of later) {
    const held = sums.get(nameOf(day));
    sums.set(nameOf(day), held === undefined ? day : addDay(held, day));
  }
  return [...sums.values()];
}

function nameOf({ treatmentId, day }: DaySums): string {
  return `${treatmentId}/${day}`;
}

function addDay(a: DaySums, b: DaySums): DaySums {
  return {
    ...a,
    trials: a.trials + b.trials,
    successes: a.successes + b.successes,
    firstTrials: a.firstTrials + b.firstTrials,
    firstSuccesses: a.firstSuccesses + b.firstSuccesses,
    late: a.late + b.late,
    rewardSum: a.rewardSum + b.rewardSum,
    rewardSqSum: a.rewardSqSum + b.rewardSqSum,
    propensityTrials: a.propensityTrials + b.propensityTrials,
    ipwSum: a.ipwSum + b.ipwSum,
    ipwRewardSum: a.ipwRewardSum + b.ipwRewardSum,
  };
}
