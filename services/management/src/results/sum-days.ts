import type { Row } from '@bandit/db';

export type TreatmentDay = Row<'treatment_days'>;

/** A treatment's counters added up over days. */
export interface TreatmentTotals {
  readonly trials: number;
  readonly successes: number;
  readonly firstTrials: number;
  readonly firstSuccesses: number;
  readonly late: number;
  readonly rewardSum: number;
  readonly rewardSqSum: number;
  readonly propensityTrials: number;
  readonly ipwSum: number;
  readonly ipwRewardSum: number;
}

const columns = {
  trials: 'trials',
  successes: 'successes',
  firstTrials: 'first_trials',
  firstSuccesses: 'first_successes',
  late: 'late',
  rewardSum: 'reward_sum',
  rewardSqSum: 'reward_sq_sum',
  propensityTrials: 'propensity_trials',
  ipwSum: 'ipw_sum',
  ipwRewardSum: 'ipw_reward_sum',
} as const satisfies Record<keyof TreatmentTotals, keyof TreatmentDay>;

/** @param days any days of one treatment; none gives zeros */
export function sumDays(days: readonly TreatmentDay[]): TreatmentTotals {
  const total = (column: (typeof columns)[keyof TreatmentTotals]) =>
    days.reduce((sum, day) => sum + day[column], 0);
  const totals = Object.entries(columns).map(([name, column]) => [name, total(column)]);
  return Object.fromEntries(totals) as unknown as TreatmentTotals;
}
