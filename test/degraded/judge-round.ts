import type { Test } from 'tap';
import type { Row } from './figures.ts';
import { judgeAnswers } from './judge-answers.ts';
import { judgeTables } from './judge-tables.ts';
import { judgeTreatments, recheck } from './judge-treatments.ts';
import type { Entry } from './load-messages.ts';
import type { Platform } from './open-platform.ts';
import type { Round } from './run-round.ts';

export interface Judgement {
  readonly what: string;
  readonly round: Round;
  readonly isDatabaseAway: boolean;
}

/** Holds what clients saw against what is promised, and against the tables. @returns the line of the table */
export async function judgeRound(t: Test, platform: Platform, judgement: Judgement): Promise<Row> {
  const { round, what, isDatabaseAway } = judgement;
  const assigned = round.report.entries.filter(({ kind }) => kind === 'known' || kind === 'new');
  const phases = {
    before: within(assigned, round.beforeMs, round.failedMs),
    during: within(assigned, round.duringMs, round.endingMs),
    after: within(assigned, round.afterMs, round.stoppedMs),
  };
  const not200 = within(assigned, round.failedMs, round.stoppedMs).filter(({ status }) => status !== 200);
  t.strictSame(not200.slice(0, 5), [], `assignments from the failure on: ${not200.length} other than 200`);
  judgeAnswers(t, round, phases, isDatabaseAway);
  const twice = judgeTreatments(t, round, countExcused(round, phases, isDatabaseAway));
  await recheck(t, platform, round, twice);
  const equalMs = await judgeTables(t, platform, judgement);
  return {
    ...{ what, ...phases, twice: twice.byPhase, equalMs },
    requests: phases.during.length,
    not200: not200.length,
    openedMs: round.openedMs - round.failedMs,
    drainedMs: round.drainedMs - round.backMs,
  };
}

export interface Phases {
  readonly before: readonly Entry[];
  /** From the open breaker to the end of the outage. */
  readonly during: readonly Entry[];
  readonly after: readonly Entry[];
}

const within = (all: readonly Entry[], fromMs: number, toMs: number) =>
  all.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);

/**
 * How many users a machine that stalls may give two treatments: Redis did not answer a claim within 250 ms, or Postgres, not
 * meant to be away, a commit (then x-recorded says so).
 */
function countExcused(
  { nFailedClaims }: Round,
  { before, during, after }: Phases,
  isDatabaseAway: boolean,
): number {
  const outside = isDatabaseAway ? [...before, ...after] : [...before, ...during, ...after];
  return nFailedClaims + outside.filter(({ recorded }) => recorded !== undefined).length;
}
