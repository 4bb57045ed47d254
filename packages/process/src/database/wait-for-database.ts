import { setTimeout as delay } from 'node:timers/promises';
import { limits } from '@bandit/contracts';
import { ensureLogEpoch, findMissingMigrations, isStoreUnavailable, type OpenedDatabase } from '@bandit/db';

/** The database answers, but is not what this code needs yet. */
export class DatabaseNotReadyError extends Error {
  override readonly name = 'DatabaseNotReadyError';
}

export interface WaitOptions {
  /** One try; throws what stands in its way. */
  readonly attempt: () => Promise<void>;
  readonly log: {
    info(details: object, message: string): void;
    warn(details: object, message: string): void;
  };
  readonly signal: AbortSignal;
}

/**
 * Tries until the database is there and ready, and says once what it waits for.
 *
 * @throws what waiting does not mend: a wrong password, a missing database, another ASSIGNMENT_SECRET; or the abort
 */
export async function waitForDatabase({ attempt, log, signal }: WaitOptions): Promise<void> {
  let said = '';
  for (let delayMs: number = limits.databaseWaitMs; ; ) {
    try {
      await attempt();
      if (said !== '') log.info({}, 'the database is ready');
      return;
    } catch (error) {
      if (!isMendedByWaiting(error)) throw error;
      const reason =
        error instanceof DatabaseNotReadyError
          ? error.message
          : `Postgres does not answer (${reasonOf(error)})`;
      if (reason !== said) log.warn({ reason }, 'not ready: waiting for the database');
      said = reason;
    }
    await delay(delayMs, undefined, { signal });
    delayMs = Math.min(delayMs * 2, limits.databaseWaitMsMax);
  }
}

/** What every process that writes facts makes sure of before its first one. @throws DatabaseNotReadyError */
export async function checkDatabase(db: OpenedDatabase['db']): Promise<void> {
  const missing = await findMissingMigrations(db);
  if (missing.length > 0) {
    throw new DatabaseNotReadyError(
      `the schema lacks ${missing[0]}${missing.length > 1 ? ` and ${missing.length - 1} more` : ''}: run the command "migrate" of this version`,
    );
  }
  await ensureLogEpoch(db);
}

/** What the driver says of a lost connection has no code: a migration that failed by it keeps it as its cause. */
function isMendedByWaiting(error: unknown): boolean {
  const isAway =
    isStoreUnavailable(error) || isStoreUnavailable((error as { cause?: unknown } | null)?.cause);
  return isAway || error instanceof DatabaseNotReadyError;
}

/** The sentence or the code alone: an error of the driver carries its whole configuration. */
function reasonOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return message || code || 'no reason given';
}
