import { limits } from '@bandit/contracts';
import {
  type DatabaseLog,
  ensureFactPartitions,
  ensureLogEpoch,
  migrate,
  type OpenedDatabase,
  openDatabase,
  startEmbedded,
} from '@bandit/db';
import { acquireSingleProcessLock } from './single-process-lock.ts';

/** The open database of this process and how to close it. */
export interface OpenStore {
  /** For requests of each kind: roles of their own on a real Postgres, one session underneath on the embedded one. */
  readonly assignment: OpenedDatabase['db'];
  readonly accept: OpenedDatabase['db'];
  readonly learner: OpenedDatabase['db'];
  readonly management: OpenedDatabase['db'];
  /** For metrics. */
  readonly pools: Readonly<Record<string, OpenedDatabase['poolCounts']>>;
  close(): Promise<void>;
}

export interface OpenStoreOptions {
  readonly databaseUrl: string | undefined;
  readonly dataDir: string;
  readonly startedAt: string;
  readonly log: DatabaseLog;
  /** The embedded database stopped by itself: report and exit. */
  readonly onLost: (error: Error) => void;
}

/** Opens Postgres or the embedded database, brings the schema up to date and makes it ready for facts. */
export async function openStore(options: OpenStoreOptions): Promise<OpenStore> {
  const { databaseUrl, log } = options;
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const closeOne of closers.reverse()) await closeOne();
  };
  try {
    const target =
      databaseUrl === undefined ? await startServer(options, closers) : { connectionString: databaseUrl };
    await prepare(target, log);
    if (databaseUrl !== undefined) closers.push(await acquireSingleProcessLock(databaseUrl));
    const pools: Record<string, OpenedDatabase['poolCounts']> = {};
    const open = (role: 'bandit_accept' | 'bandit_learner' | undefined, name: string, max: number) => {
      const roleOption = role === undefined || databaseUrl === undefined ? {} : { role };
      const opened = openDatabase({ ...target, ...roleOption, max, applicationName: `bandit ${name}`, log });
      closers.push(opened.close);
      pools[name] = opened.poolCounts;
      return opened.db;
    };
    return {
      assignment: open('bandit_accept', 'assignment', 4),
      accept: open('bandit_accept', 'ingest', 4),
      learner: open('bandit_learner', 'learner', 4),
      management: open(undefined, 'management', limits.databasePoolMax),
      pools,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startServer(
  options: OpenStoreOptions,
  closers: (() => Promise<unknown>)[],
): Promise<{ socketDir: string }> {
  const { dataDir, startedAt, log } = options;
  const embedded = await startEmbedded({ dataDir, startedAt, log, onExit: options.onLost });
  closers.push(embedded.close);
  return { socketDir: embedded.socketDir };
}

async function prepare(
  target: { connectionString: string } | { socketDir: string },
  log: DatabaseLog,
): Promise<void> {
  const opened = openDatabase({ ...target, max: 1, statementTimeoutMs: limits.migrationTimeoutMs, log });
  try {
    const names = await migrate(opened.db);
    if (names.length > 0) log.info({ migrations: names }, 'the schema was brought up to date');
    await ensureLogEpoch(opened.db);
    await ensureFactPartitions(opened.db, limits.factPartitionMonthsAhead);
  } finally {
    await opened.close();
  }
}
