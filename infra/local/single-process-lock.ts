/**
 * Without a shared bus a second process on the same database would answer from state that it never hears about: it is
 * refused by an advisory lock. The lock lives with a connection of its own and goes with it, however the process ends.
 *
 * Modes: held; lost (the connection was cut: a new one tries for it, `isHeld` is false and the process not ready; what it
 * goes on writing stays right, as the database decides); closed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { limits } from '@bandit/contracts';
import pg from 'pg';

/** One number for all versions of the platform. */
const lockKey = 7_220_151_119;
const retryMs = 1_000;

export interface SingleProcessLock {
  isHeld(): boolean;
  close(): Promise<void>;
}

export interface LockLog {
  info(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** @throws when another process holds the lock, or the database cannot be asked */
export async function holdSingleProcessLock(
  connectionString: string,
  log: LockLog,
): Promise<SingleProcessLock> {
  const stopping = new AbortController();
  let held: pg.Client | undefined = await takeLock(connectionString);
  const keep = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      if (held !== undefined) await lossOf(held, stopping.signal);
      held = undefined;
      if (stopping.signal.aborted) return;
      log.error({}, 'the single-process lock was lost with its connection: taking it again');
      held = await retake(connectionString, stopping.signal);
      if (held !== undefined) log.info({}, 'the single-process lock is held again');
    }
  };
  const first = held;
  const keeping = keep();
  return {
    isHeld: () => held !== undefined,
    close: async () => {
      stopping.abort();
      await (held ?? first)?.end().catch(() => undefined);
      await keeping;
    },
  };
}

async function takeLock(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString,
    connectionTimeoutMillis: limits.databaseConnectTimeoutMs,
    query_timeout: limits.databaseStatementTimeoutMs,
    keepAlive: true,
    application_name: 'bandit single-process lock',
  });
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
    lockKey,
  ]);
  if (rows[0]?.locked === true) return client;
  await client.end();
  throw new Error(
    'another process of the platform runs on this database: without NATS_URL only one may. Stop it first.',
  );
}

async function retake(connectionString: string, signal: AbortSignal): Promise<pg.Client | undefined> {
  while (!signal.aborted) {
    const client = await takeLock(connectionString).catch(() => undefined);
    if (client !== undefined) return client;
    await delay(retryMs, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

function lossOf(client: pg.Client, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    client.once('end', () => resolve());
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
