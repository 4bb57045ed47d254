/**
 * One rebuild of an experiment at a time over all learners of a database, by advisory locks. All that this process holds
 * are on one session, opened for the first and given back after the last, so that waiting rebuilds never use up the
 * pool that running ones need. A lost session gives the turns up early: a second rebuild may begin then, and is only work
 * for nothing, as the swap itself is decided under the partition's lock. A crash ends the session and with it the turns.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { limits } from '@bandit/contracts';
import { type ExperimentKey, type OpenedDatabase, tryLockRebuild, unlockRebuild } from '@bandit/db';

type Db = OpenedDatabase['db'];

export interface RebuildTurns {
  /**
   * Waits until nobody else rebuilds the experiment, then works. Not for two calls with one key in one process: a
   * session is always let in to what it holds.
   *
   * @throws the abort when `signal` ends the wait; an error past `refreshTimeoutMs`; else what `work` or the database throws
   */
  take<T>(key: ExperimentKey, work: () => Promise<T>): Promise<T>;
}

/** Where one process has the database for itself. */
export const unshared: RebuildTurns = { take: (_key, work) => work() };

export function createRebuildTurns(db: Db, signal: AbortSignal): RebuildTurns {
  let current: SharedSession | undefined;
  const leave = (shared: SharedSession): void => {
    shared.nUsers -= 1;
    if (shared.nUsers > 0) return;
    if (current === shared) current = undefined;
    shared.giveBack();
  };
  return {
    take: async (key, work) => {
      current ??= openSession(db);
      const shared = current;
      shared.nUsers += 1;
      try {
        const session = await waitForTurn(shared, key, signal).catch((error: unknown) => {
          // It may be broken: the next one opens another.
          if (current === shared) current = undefined;
          throw error;
        });
        // An unlock that fails takes its connection with it, and the lock.
        return await work().finally(() => unlockRebuild(session, key).catch(() => undefined));
      } finally {
        leave(shared);
      }
    },
  };
}

interface SharedSession {
  readonly session: Promise<Db>;
  readonly giveBack: () => void;
  nUsers: number;
}

function openSession(db: Db): SharedSession {
  const { promise: session, resolve, reject } = Promise.withResolvers<Db>();
  const { promise: ended, resolve: giveBack } = Promise.withResolvers<void>();
  const use = async (connection: Db): Promise<void> => {
    resolve(connection);
    await ended;
  };
  db.connection().execute(use).catch(reject);
  return { session, giveBack, nUsers: 0 };
}

async function waitForTurn({ session }: SharedSession, key: ExperimentKey, signal: AbortSignal): Promise<Db> {
  const held = await session;
  for (let waitedMs = 0; waitedMs < limits.refreshTimeoutMs; waitedMs += limits.rebuildTurnPollMs) {
    signal.throwIfAborted();
    if (await tryLockRebuild(held, key)) return held;
    await delay(limits.rebuildTurnPollMs, undefined, { signal });
  }
  throw new Error(`another rebuild of ${key.experimentId} did not end in ${limits.refreshTimeoutMs} ms`);
}
