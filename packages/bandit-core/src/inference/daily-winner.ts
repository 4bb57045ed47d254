import { checkCounts } from './interval.ts';
import {
  isAbove,
  judgeLeader,
  pairMixture,
  pooledCost,
  type RateCounts,
  type WinnerCheck,
} from './winner.ts';

/** Counts of one pair of treatments on one day. */
export interface PairDay {
  readonly leader: RateCounts;
  readonly other: RateCounts;
}

/**
 * Evidence that the leader is the better one where base rates move from day to day (weekends, seasons): the product
 * of each day's evidence, each with its own pooled rate. Refutes "on no day is the leader's rate higher".
 *
 * On a day on which the leader is behind, the largest likelihood under that claim has separate rates for the two, so the
 * day's factor is the mixture over those, below 1; a plain product would multiply by 0 there and never recover.
 *
 * @param days shape [days]: counts of the pair on that day
 * @returns ln E; -Infinity unless the leader is ahead after weighing days by n_b n_j / (n_b + n_j) (Mantel-Haenszel)
 */
export function logDailyEvidence(days: readonly PairDay[]): number {
  let logE = 0;
  let lead = 0;
  for (const { leader, other } of days) {
    checkCounts(leader, 'leader');
    checkCounts(other, 'other');
    // A day that served only one of the two says nothing about their order.
    if (leader.n === 0 || other.n === 0) continue;
    lead += leadOf({ leader, other });
    logE += pairMixture(leader, other) + (isAbove(leader, other) ? pooledCost(leader, other) : 0);
  }
  return lead > 0 ? logE : -Infinity;
}

/**
 * `checkWinner` with daily evidence. The leader is the treatment that is ahead of every other one in
 * the days they share; where no treatment is, none is named.
 *
 * @param days shape [days][K]
 */
export function checkDailyWinner(
  days: readonly (readonly RateCounts[])[],
  alpha: number,
  nServed = 0,
): WinnerCheck {
  const nArms = days.reduce((most, day) => Math.max(most, day.length), 0);
  const arms = Array.from({ length: nArms }, (_, k) => k);
  const leader = arms.find((b) => nArms > 1 && arms.every((j) => j === b || dailyLead(days, b, j) > 0));
  return judgeLeader(leader, nArms, alpha, nServed, (b, j) => logDailyEvidence(pairDays(days, b, j)));
}

function pairDays(days: readonly (readonly RateCounts[])[], b: number, j: number): PairDay[] {
  const none = { n: 0, s: 0 };
  return days.map((day) => ({ leader: day[b] ?? none, other: day[j] ?? none }));
}

function dailyLead(days: readonly (readonly RateCounts[])[], b: number, j: number): number {
  return pairDays(days, b, j).reduce((lead, day) => lead + leadOf(day), 0);
}

/** n_b n_j / (n_b + n_j) times the difference of the day's rates; 0 on a day that served only one of the two. */
function leadOf({ leader, other }: PairDay): number {
  if (leader.n === 0 || other.n === 0) return 0;
  return (leader.s * other.n - other.s * leader.n) / (leader.n + other.n);
}
