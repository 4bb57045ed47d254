import type { DaySums, FactRow, Outcome, TrialRow } from '@bandit/db';
import { isSuccess, type RewardModel } from './map-reward.ts';

type Sums = { -readonly [K in keyof DaySums]: DaySums[K] };

/** Collects the changes of `treatment_days` that facts make. Held by one fold or one rebuild. */
export interface DayChanges {
  addTrial(row: TrialRow): void;
  /** The outcome of the row's assignment moved from `before` to `after`. */
  addReward(row: FactRow, before: Outcome | undefined, after: Outcome): void;
  addLate(row: FactRow): void;
  list(): DaySums[];
}

export function createDayChanges(model: RewardModel): DayChanges {
  const byKey = new Map<string, Sums>();
  const at = (row: FactRow): Sums => {
    const day = new Date(row.assignedAtMs).toISOString().slice(0, 10);
    const key = `${row.treatmentId}/${day}`;
    const held = byKey.get(key);
    if (held !== undefined) return held;
    const fresh = emptySums(row, day);
    byKey.set(key, fresh);
    return fresh;
  };
  return {
    addTrial: (row) => {
      const sums = at(row);
      sums.trials += 1;
      if (row.isFirst) sums.firstTrials += 1;
      if (row.propensity === undefined) return;
      sums.propensityTrials += 1;
      sums.ipwSum += 1 / row.propensity;
    },
    addReward: (row, before, after) => {
      const sums = at(row);
      const previous = before?.reward ?? 0;
      const gained = Number(isSuccess(model, after)) - Number(isSuccess(model, before));
      sums.successes += gained;
      if (row.isFirst) sums.firstSuccesses += gained;
      sums.rewardSum += after.reward - previous;
      sums.rewardSqSum += after.reward * after.reward - previous * previous;
      if (row.propensity !== undefined) sums.ipwRewardSum += (after.reward - previous) / row.propensity;
    },
    addLate: (row) => {
      at(row).late += 1;
    },
    list: () => [...byKey.values()],
  };
}

function emptySums(row: FactRow, day: string): Sums {
  const { companyId, experimentId, treatmentId } = row;
  return {
    companyId,
    experimentId,
    treatmentId,
    day,
    trials: 0,
    successes: 0,
    firstTrials: 0,
    firstSuccesses: 0,
    late: 0,
    rewardSum: 0,
    rewardSqSum: 0,
    propensityTrials: 0,
    ipwSum: 0,
    ipwRewardSum: 0,
  };
}
