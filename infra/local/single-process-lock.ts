/**
 * Without a shared bus a second process on the same database would answer from state that it never hears about: it is
 * refused by an advisory lock. The lock lives with a connection of its own and goes with it, however the process ends.
 *
 * Modes: not taken; held; lost (the connection was cut: a new one tries for it, `isHeld` is false and the process not
 * ready; what it goes on writing stays right, as the database decides); closed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { limits } from '@bandit/contracts';
import pg from 'pg';

/** One number for all versions of the platform. */
const lockKey = 7_220_151_119;
const retryMs = 1_000;

export interface SingleProcessLock {
  /** Once; does nothing when it is taken. @throws when another process holds it, or the database cannot be asked */
  take(): Promise<void>;
  isHeld(): boolean;
  close(): Promise<void>;
}

export interface LockLog {
  info(details: object, message: string): void;
  error(details: object, message: string): void;
}

class HeldByAnotherError extends Error {
  override readonly name = 'HeldByAnotherError';
}

export function createSingleProcessLock(connectionString: string, log: LockLog): SingleProcessLock {
  const stopping = new AbortController();
  const { signal } = stopping;
  let held: pg.Client | undefined;
  let keeping: Promise<void> | undefined;
  const keep = async (): Promise<void> => {
    while (held !== undefined) {
      await lossOf(held, signal);
      if (signal.aborted) return;
      held = undefined;
      log.error({}, 'the single-process lock was lost with its connection: taking it again');
      held = await retake(connectionString, log, signal);
      if (held !== undefined) log.info({}, 'the single-process lock is held again');
    }
  };
  return {
    take: async () => {
      if (keeping !== undefined) return;
      held = await takeLock(connectionString);
      keeping = keep();
    },
    isHeld: () => held !== undefined,
    close: async () => {
      stopping.abort();
      await keeping;
      await held?.end().catch(() => undefined);
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
  try {
    await client.connect();
    const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
      lockKey,
    ]);
    if (rows[0]?.locked === true) return client;
    throw new HeldByAnotherError(
      'another process of the platform runs on this database: without NATS_URL only one may. Stop it first.',
    );
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

async function retake(
  connectionString: string,
  log: LockLog,
  signal: AbortSignal,
): Promise<pg.Client | undefined> {
  let isTold = false;
  while (!signal.aborted) {
    try {
      return await takeLock(connectionString);
    } catch (error) {
      if (error instanceof HeldByAnotherError && !isTold) {
        isTold = true;
        log.error(
          {},
          'another process took the single-process lock meanwhile: one of the two must be stopped',
        );
      }
    }
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
