import { counterColumns, type Row, type TreatmentCounters } from '@bandit/db';

export type TreatmentDay = Row<'treatment_days'>;

/** A treatment's counters added up over days. */
export type TreatmentTotals = TreatmentCounters;

/** @param days any days of one treatment; none gives zeros */
export function sumDays(days: readonly TreatmentDay[]): TreatmentTotals {
  const total = (column: (typeof counterColumns)[keyof TreatmentTotals]) =>
    days.reduce((sum, day) => sum + day[column], 0);
  const totals = Object.entries(counterColumns).map(([name, column]) => [name, total(column)]);
  return Object.fromEntries(totals) as unknown as TreatmentTotals;
}
