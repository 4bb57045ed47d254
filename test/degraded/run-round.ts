import type { Test } from 'tap';
import { abExperiment } from '../processes/start-platform.ts';
import type { Fault } from './faults.ts';
import { type LoadReport, nowMs } from './load-messages.ts';
import { letRun, untilTrue } from './moments.ts';
import { type Platform, type StoreName, storeNames } from './open-platform.ts';
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
  /** The one that fails: waits until both assignment processes ask it no more, where they can tell. */
  readonly store: StoreName;
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
  const { fault, store, meanwhile } = options;
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
  // Nobody ever waits for NATS but for RECORDS, and a slow one is not away.
  if (store === 'nats') await letRun(firstWaveMs);
  else await untilTrue(() => areAll(platform, store, 1), openWithinMs, `both processes leave ${store}`);
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

const awayMetrics = {
  postgres: ['bandit_assignment_store_away', 'store="database"'],
  redis: ['bandit_cache_away', ''],
  nats: ['bandit_bus_away', ''],
} as const;

/** Is the store left (1), or asked (0), by every assignment process? */
async function areAll({ assignments }: Platform, store: StoreName, away: 0 | 1): Promise<boolean> {
  const [name, label] = awayMetrics[store];
  const found = await Promise.all(assignments.map(({ url }) => readMetric(url, name, label)));
  return found.every((value) => value === away);
}

/** Nothing waits in RECORDS or memory, and every store is asked again. */
async function isDrained(platform: Platform): Promise<boolean> {
  const unrecorded = await Promise.all(
    platform.assignments.map(({ url }) => readMetric(url, 'bandit_assignment_unrecorded')),
  );
  const { nRecords } = await readStreams(platform.stores);
  const areAsked = await Promise.all(storeNames.map((store) => areAll(platform, store, 0)));
  return nRecords === 0 && unrecorded.every((n) => n === 0) && areAsked.every(Boolean);
}
