import type { Test } from 'tap';
import { abExperiment } from '../processes/start-platform.ts';
import type { Fault } from './faults.ts';
import { type LoadReport, nowMs } from './load-messages.ts';
import { letRun, untilTrue } from './moments.ts';
import type { Platform } from './open-platform.ts';
import { readMetric, readStreams } from './readings.ts';
import { startLoad } from './start-load.ts';

/** When what happened, in milliseconds since the epoch, and what clients saw meanwhile. */
export interface Round {
  readonly experimentId: string;
  readonly beforeMs: number;
  readonly failedMs: number;
  /** Nobody waits for the store any more. */
  readonly openedMs: number;
  readonly duringMs: number;
  readonly endingMs: number;
  /** The store is back. */
  readonly backMs: number;
  /** RECORDS and memory are empty, every breaker is closed. */
  readonly drainedMs: number;
  readonly afterMs: number;
  readonly stoppedMs: number;
  /** Claims that Redis did not answer in time. */
  readonly nFailedClaims: number;
  readonly report: LoadReport;
}

export interface RoundOptions {
  readonly name: string;
  readonly fault: Fault;
  /** Assignments are answered without the database: waits until both processes say so. */
  readonly isDatabaseAway: boolean;
  /** What else is asked while the store is away; the round lasts until it is done. */
  readonly meanwhile: (experimentId: string) => Promise<void>;
}

const nKnown = 600;
const beforeMs = 1_500;
const firstWaveMs = 1_000;
const duringMs = 3_000;
const afterMs = 1_000;
/** Of the figures to reach (G5). */
export const recoveryMs = 10_000;
/** A slow database is left after five slow commits in a row, over a second; a busy machine takes longer. */
const openWithinMs = 15_000;

/** Mixed load before, while and after a store is away. @throws when the breaker does not open, or the backlog does not go */
export async function runRound(t: Test, platform: Platform, options: RoundOptions): Promise<Round> {
  const { fault, isDatabaseAway, meanwhile } = options;
  const { assignments, ingest, learner, management, manager, stores } = platform;
  const experimentId = await manager.activate(abExperiment(options.name));
  const load = await startLoad(t, {
    assignments: assignments.map(({ url }) => url),
    ingests: [ingest.url],
    others: [learner.url, management.url],
    apiKey: stores.apiKey,
    experimentId,
    nKnown,
  });
  const failedBefore = await countFailedClaims(platform);
  const startedMs = nowMs();
  await letRun(beforeMs);
  const failedMs = nowMs();
  await fault.begin();
  if (isDatabaseAway)
    await untilTrue(() => areAll(platform, 1), openWithinMs, 'both processes leave the database');
  else await letRun(firstWaveMs);
  const openedMs = nowMs();
  await Promise.all([letRun(duringMs), meanwhile(experimentId)]);
  const endingMs = nowMs();
  await fault.end();
  const backMs = nowMs();
  await untilTrue(() => isDrained(platform), recoveryMs, 'RECORDS and memory are brought in');
  const drainedMs = nowMs();
  await letRun(afterMs);
  const stoppedMs = nowMs();
  const report = await load.stop();
  const nFailedClaims = (await countFailedClaims(platform)) - failedBefore;
  return {
    ...{ experimentId, beforeMs: startedMs, failedMs, openedMs, duringMs: openedMs, endingMs },
    ...{ backMs, drainedMs, afterMs: drainedMs, stoppedMs, nFailedClaims, report },
  };
}

async function countFailedClaims({ assignments }: Platform): Promise<number> {
  const counts = assignments.map(({ url }) =>
    readMetric(url, 'bandit_assignment_claims_total', 'outcome="failed"'),
  );
  return (await Promise.all(counts)).reduce<number>((sum, n) => sum + (n ?? 0), 0);
}

/** Is the database left (1), or asked (0), by every assignment process? */
async function areAll({ assignments }: Platform, away: 0 | 1): Promise<boolean> {
  const found = await Promise.all(
    assignments.map(({ url }) => readMetric(url, 'bandit_assignment_store_away', 'store="database"')),
  );
  return found.every((value) => value === away);
}

export async function isDrained(platform: Platform): Promise<boolean> {
  const unrecorded = await Promise.all(
    platform.assignments.map(({ url }) => readMetric(url, 'bandit_assignment_unrecorded')),
  );
  const { nRecords } = await readStreams(platform.stores);
  return nRecords === 0 && unrecorded.every((n) => n === 0) && (await areAll(platform, 0));
}
