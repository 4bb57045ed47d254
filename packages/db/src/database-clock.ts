/**
 * Database time without asking the database: a local monotonic clock plus an offset. Each refresh measures the offset
 * with one query (the server's reading belongs to the middle of the round trip) and is wrong by half a round trip at
 * most. Between refreshes time never steps back; a step of a second or more (another server took over) is followed.
 * While the database is away the last offset stays in force.
 */
import { limits } from '@bandit/contracts';
import { type Kysely, sql } from 'kysely';
import type { DatabaseLog } from './database-log.ts';
import type { Database } from './schema.ts';

export interface OffsetClockOptions {
  /** Milliseconds from any fixed origin, never stepping back: performance.now in production. */
  readonly monotonicMs: () => number;
  /** 0 = no background refresh. */
  readonly pollMs: number;
  /** A first guess in force until the first refresh succeeds (the machine's clock); without one, nowMs throws. */
  readonly startMs?: number;
  readonly log?: DatabaseLog;
}

export interface DatabaseClockOptions extends OffsetClockOptions {
  readonly db: Kysely<Database>;
}

export interface DatabaseClock {
  /** Whole milliseconds since the epoch, never smaller than the answer before. */
  nowMs(): number;
  /** For metrics: since the offset was measured, or since the clock was made. */
  offsetAgeMs(): number;
  /** Since a refresh last failed, or was slow; Infinity when none was. */
  sinceTroubleMs(): number;
  /** @throws when the database cannot be asked; the offset in force stays */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

const followStepMs = 1_000;

export function createDatabaseClock({ db, ...options }: DatabaseClockOptions): DatabaseClock {
  return createOffsetClock(() => readServerMs(db), options);
}

async function readServerMs(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ ms: number }>`
    select extract(epoch from clock_timestamp()) * 1000 as ms`.execute(db);
  return (rows[0] as { ms: number }).ms;
}

/** @param readMs the server's clock, milliseconds since the epoch */
export function createOffsetClock(readMs: () => Promise<number>, options: OffsetClockOptions): DatabaseClock {
  const { monotonicMs, pollMs, startMs, log } = options;
  let offsetMs = startMs === undefined ? undefined : startMs - monotonicMs();
  let lastMs = Number.NEGATIVE_INFINITY;
  let measuredAtMs = monotonicMs();
  let troubledAtMs = Number.NEGATIVE_INFINITY;
  let refreshing: Promise<void> | undefined;

  const refresh = () => {
    if (refreshing !== undefined) return refreshing;
    const startedMs = monotonicMs();
    refreshing = measureOffset(readMs, monotonicMs)
      .then((measured) => {
        if (monotonicMs() - startedMs >= limits.databaseSlowMs) troubledAtMs = monotonicMs();
        if (offsetMs === undefined || measured < offsetMs - followStepMs) lastMs = Number.NEGATIVE_INFINITY;
        offsetMs = measured;
        measuredAtMs = monotonicMs();
      })
      .catch((error: unknown) => {
        troubledAtMs = monotonicMs();
        throw error;
      })
      .finally(() => {
        refreshing = undefined;
      });
    return refreshing;
  };
  let isFailing = false;
  const poll = () => {
    refresh().then(
      () => {
        isFailing = false;
      },
      (error: unknown) => {
        // Once: the age of the offset is a metric.
        if (!isFailing) log?.warn({ err: error }, 'the database clock is not refreshed for now');
        isFailing = true;
      },
    );
  };
  const timer = pollMs > 0 ? setInterval(poll, pollMs) : undefined;
  timer?.unref();

  return {
    nowMs: () => {
      if (offsetMs === undefined) throw new Error('the database clock was read before its first refresh');
      lastMs = Math.max(lastMs, Math.floor(monotonicMs() + offsetMs));
      return lastMs;
    },
    offsetAgeMs: () => monotonicMs() - measuredAtMs,
    sinceTroubleMs: () => monotonicMs() - troubledAtMs,
    refresh,
    close: async () => {
      clearInterval(timer);
      await refreshing?.catch(() => undefined);
    },
  };
}

async function measureOffset(readMs: () => Promise<number>, monotonicMs: () => number): Promise<number> {
  const sentMs = monotonicMs();
  const serverMs = await readMs();
  return serverMs - (sentMs + monotonicMs()) / 2;
}
