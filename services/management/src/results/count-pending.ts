import type { TreatmentDay } from './sum-days.ts';

const dayMs = 86_400_000;

/** The instant after which assigned trials are still in their window, and the end of the UTC day it lies in. */
export interface WindowStart {
  readonly openAfterMs: number;
  readonly dayEndMs: number;
}

/** @param attributionWindow seconds; 0 = no limit, every trial is matured at once */
export function windowStart(attributionWindow: number, nowMs: number): WindowStart | undefined {
  if (attributionWindow === 0) return undefined;
  const openAfterMs = nowMs - attributionWindow * 1_000;
  return { openAfterMs, dayEndMs: (Math.floor(openAfterMs / dayMs) + 1) * dayMs };
}

/**
 * Trials of one treatment whose window is open: all of the days after the one in which windows begin to be open, and
 * of that day those counted in the log.
 *
 * @param openOnFirstDay from the log, which may be ahead of the learner's counters: never more than the day's trials
 */
export function countPending(
  days: readonly TreatmentDay[],
  start: WindowStart | undefined,
  openOnFirstDay: number,
): number {
  if (start === undefined) return 0;
  const firstDay = new Date(start.openAfterMs).toISOString().slice(0, 10);
  return days.reduce((sum, { day, trials }) => {
    if (day < firstDay) return sum;
    return sum + (day === firstDay ? Math.min(openOnFirstDay, trials) : trials);
  }, 0);
}
