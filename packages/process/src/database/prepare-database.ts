import { type MacKey, wrapMacKey } from '@bandit/auth';
import { limits } from '@bandit/contracts';
import {
  type DatabaseLog,
  ensureFactPartitions,
  ensureLogEpoch,
  insertMacKey,
  loadMacKeys,
  migrate,
  type OpenedDatabase,
  openDatabase,
} from '@bandit/db';
import type { DatabaseTarget } from './open-pools.ts';

export interface PrepareOptions {
  readonly target: DatabaseTarget;
  /** ASSIGNMENT_SECRET: wraps the first MAC key; undefined leaves that to whoever has it. */
  readonly secret: string | undefined;
  readonly randomBytes: (nBytes: number) => Uint8Array;
  readonly log: DatabaseLog;
}

/** One name for the first key, so that processes that start at the same time agree on one. */
const firstKeyId = 'k1';

/**
 * Makes a database ready for the processes: the schema of this code, the partitions of the coming months, the first key
 * that signs assignment ids. Safe to run again, and at the same time elsewhere.
 *
 * @returns the names of the migrations that ran now
 */
export async function prepareDatabase(options: PrepareOptions): Promise<readonly string[]> {
  const { target, secret, log } = options;
  const opened = openDatabase({ ...target, max: 1, statementTimeoutMs: limits.migrationTimeoutMs, log });
  try {
    const names = await migrate(opened.db);
    if (names.length > 0) log.info({ migrations: names }, 'the schema was brought up to date');
    await ensureLogEpoch(opened.db);
    await ensureFactPartitions(opened.db, limits.factPartitionMonthsAhead);
    if (secret !== undefined) await ensureMacKey(opened.db, secret, options.randomBytes);
    return names;
  } finally {
    await opened.close();
  }
}

async function ensureMacKey(
  db: OpenedDatabase['db'],
  secret: string,
  randomBytes: PrepareOptions['randomBytes'],
): Promise<void> {
  if ((await loadMacKeys(db)).length > 0) return;
  const key: MacKey = { id: firstKeyId, key: randomBytes(32) };
  await insertMacKey(db, key.id, wrapMacKey(key, secret, randomBytes));
}
