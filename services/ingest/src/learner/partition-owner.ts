/**
 * Which partitions this process learns. On a shared database each partition is held by an advisory lock of one session,
 * and the learners take equal shares; a dead process loses its session and with it its locks, one that hangs is made to
 * after `learnerSilenceMsMax`, and the others take over at their next look. Where one process has the database for itself,
 * it owns all.
 *
 * Written by the loop alone. Owning saves work (decoded learners stay right, two processes do not learn the same); that
 * nothing counts twice is the fold's own check. Modes: unowned until the first look, owning, closed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { limits } from '@bandit/contracts';
import {
  announceLearner,
  type OpenedDatabase,
  readPartitionLocks,
  tryLockPartition,
  unlockEverything,
  unlockPartition,
} from '@bandit/db';
import type { LearnerLog } from './learner-log.ts';

type Db = OpenedDatabase['db'];

export interface PartitionOwner {
  owns(partition: number): boolean;
  owned(): readonly number[];
  close(): Promise<void>;
}

export interface OwnerOptions {
  readonly db: Db;
  readonly pollMs: number;
  readonly log: LearnerLog;
  /** After each look that changed something. */
  readonly onChange: () => void;
}

export function ownAllPartitions(): PartitionOwner {
  const all = Array.from({ length: limits.learnerPartitions }, (_, partition) => partition);
  return { owns: () => true, owned: () => all, close: async () => undefined };
}

/** Starts to look for partitions at once. */
export function sharePartitions(options: OwnerOptions): PartitionOwner {
  const owned = new Set<number>();
  const stop = new AbortController();
  const ended = keepSession(options, owned, stop.signal);
  return {
    owns: (partition) => owned.has(partition),
    owned: () => [...owned],
    close: async () => {
      stop.abort();
      await ended;
    },
  };
}

/** One session after another, as each may be lost with its locks. */
async function keepSession(options: OwnerOptions, owned: Set<number>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await options.db.connection().execute((session) => useSession(options, session, owned, signal));
    } catch (error) {
      options.log.warn({ err: error }, 'the session that holds the learner partitions was lost');
    }
    owned.clear();
    await sleep(options.pollMs, signal);
  }
}

async function useSession(
  options: OwnerOptions,
  session: Db,
  owned: Set<number>,
  signal: AbortSignal,
): Promise<void> {
  await announceLearner(session, limits.learnerSilenceMsMax);
  try {
    while (!signal.aborted) {
      if (await balance(session, owned)) options.onChange();
      await sleep(options.pollMs, signal);
    }
  } finally {
    owned.clear();
    await unlockEverything(session);
  }
}

/** Gives up what is more than an equal share, and takes what nobody holds up to it. @returns true after a change */
async function balance(session: Db, owned: Set<number>): Promise<boolean> {
  const { nLearners, held } = await readPartitionLocks(session);
  const share = Math.ceil(limits.learnerPartitions / Math.max(1, nLearners));
  const before = owned.size;
  for (const partition of [...owned].slice(share)) {
    owned.delete(partition);
    await unlockPartition(session, partition);
  }
  for (let partition = 0; partition < limits.learnerPartitions && owned.size < share; partition++) {
    if (held.has(partition)) continue;
    if (await tryLockPartition(session, partition)) owned.add(partition);
  }
  return owned.size !== before;
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
