import { limits } from '@bandit/contracts';
import { analyzeTables, ensureFactPartitions, type OpenedDatabase } from '@bandit/db';
import type { Logger } from 'pino';

const hourMs = 3_600_000;
/** Small tables change their nature fastest: statistics a minute after the start, then every quarter of an hour. */
const firstAnalyzeMs = 60_000;
const analyzeMs = 900_000;

export interface Upkeep {
  close(): Promise<void>;
}

/**
 * What a database needs now and then: partitions of the months to come, and on the embedded one (which has no autovacuum)
 * the planner's statistics. A run that fails is logged and tried again the next time.
 */
export function startUpkeep(
  db: OpenedDatabase['db'],
  isEmbedded: boolean,
  log: Pick<Logger, 'warn'>,
  firstMs = firstAnalyzeMs,
): Upkeep {
  const running = new Set<Promise<void>>();
  const timers: NodeJS.Timeout[] = [];
  const run = (name: string, work: () => Promise<void>) => (): void => {
    const done = Promise.resolve()
      .then(work)
      .catch((error: unknown) =>
        log.warn({ err: error, task: name }, 'upkeep of the database failed for now'),
      )
      .finally(() => running.delete(done));
    running.add(done);
  };
  timers.push(
    setInterval(
      run('partitions', () => ensureFactPartitions(db, limits.factPartitionMonthsAhead)),
      24 * hourMs,
    ),
  );
  if (isEmbedded) {
    const analyze = run('statistics', () => analyzeTables(db));
    timers.push(setTimeout(analyze, firstMs), setInterval(analyze, analyzeMs));
  }
  for (const timer of timers) timer.unref();
  return {
    close: async () => {
      for (const timer of timers) clearTimeout(timer);
      await Promise.all(running);
    },
  };
}
