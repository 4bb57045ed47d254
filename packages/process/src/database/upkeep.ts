import { limits } from '@bandit/contracts';
import { analyzeTables, ensureFactPartitions, type OpenedDatabase } from '@bandit/db';
import type { Logger } from 'pino';

const hourMs = 3_600_000;
/** Small tables change their nature fastest: statistics a minute after the start, then every quarter of an hour. */
const firstRunMs = 60_000;
const analyzeMs = 900_000;

export interface Upkeep {
  /** Lets a run end, retention between two of its steps. */
  close(): Promise<void>;
}

export interface UpkeepOptions {
  readonly db: OpenedDatabase['db'];
  readonly isEmbedded: boolean;
  readonly log: Pick<Logger, 'warn'>;
  /** One run of retention; undefined where facts are kept for ever. */
  readonly retain?: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** Until the first run of what changes with the database's growth. */
  readonly firstMs?: number;
}

/**
 * What a database needs now and then: partitions of the months to come, the end of months that
 * are older than retention, and on the embedded one (which has no autovacuum) the planner's statistics. A run that fails is logged and tried again the next time.
 */
export function startUpkeep(options: UpkeepOptions): Upkeep {
  const { db, isEmbedded, log, retain, firstMs = firstRunMs } = options;
  const stop = new AbortController();
  const running = new Map<string, Promise<void>>();
  const timers: NodeJS.Timeout[] = [];
  const run = (name: string, work: () => Promise<void>) => (): void => {
    // One at a time: a long run is not joined by the next.
    if (running.has(name)) return;
    const done = Promise.resolve()
      .then(work)
      .catch((error: unknown) => {
        if (!stop.signal.aborted)
          log.warn({ err: error, task: name }, 'upkeep of the database failed for now');
      })
      .finally(() => running.delete(name));
    running.set(name, done);
  };
  const repeat = (name: string, everyMs: number, work: () => Promise<void>, startMs?: number): void => {
    const task = run(name, work);
    if (startMs !== undefined) timers.push(setTimeout(task, startMs));
    timers.push(setInterval(task, everyMs));
  };
  repeat('partitions', 24 * hourMs, () => ensureFactPartitions(db, limits.factPartitionMonthsAhead));
  if (isEmbedded) repeat('statistics', analyzeMs, () => analyzeTables(db), firstMs);
  if (retain !== undefined)
    repeat('retention', limits.retentionIntervalMs, () => retain(stop.signal), firstMs);
  for (const timer of timers) timer.unref();
  return {
    close: async () => {
      for (const timer of timers) clearTimeout(timer);
      const ending = [...running.values()];
      stop.abort();
      await Promise.all(ending);
    },
  };
}
