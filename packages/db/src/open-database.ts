import { limits } from '@bandit/contracts';
import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import type { DatabaseLog } from './database-log.ts';
import type { Database } from './schema.ts';
import { isConnectionBroken } from './store-errors.ts';
import { typeParsers } from './type-parsers.ts';

export interface OpenDatabaseOptions {
  /** postgres://… of a real server. Exactly one of this and `socketDir`. */
  readonly connectionString?: string;
  /** Folder of an embedded server's Unix socket (startEmbedded). */
  readonly socketDir?: string;
  /** The role every connection acts as. Real Postgres only: PGlite has one session for all connections. */
  readonly role?: 'bandit_accept' | 'bandit_learner' | 'bandit_app';
  /**
   * Longest a statement may run on the server; the client gives up after twice that, one second later at most.
   * PGlite cannot interrupt a statement: there only the client's deadline holds. Default: limits.
   */
  readonly statementTimeoutMs?: number;
  /** Most connections of this pool. Default: limits. */
  readonly max?: number;
  /** Shown in pg_stat_activity. */
  readonly applicationName?: string;
  readonly log: DatabaseLog;
}

/** Connections of a pool at this moment. */
export interface PoolCounts {
  readonly total: number;
  readonly idle: number;
  /** Callers that wait for a connection. */
  readonly waiting: number;
}

export interface OpenedDatabase {
  readonly db: Kysely<Database>;
  /** For metrics. */
  poolCounts(): PoolCounts;
  /** Waits for running transactions, but no longer than two seconds; safe to call twice. */
  close(): Promise<void>;
}

/**
 * A pool of connections with a deadline on everything: connecting, each statement (on the server, and on the client
 * should the server hang), idling inside a transaction, closing. Connects on first use. A connection that failed or
 * ran into the client's deadline is thrown away instead of going back to the pool.
 */
export function openDatabase(options: OpenDatabaseOptions): OpenedDatabase {
  const pool = new pg.Pool(poolConfig(options));
  let closing: Promise<void> | undefined;
  // An idle connection lost its server: the pool has already dropped it, the next query opens another. The error
  // itself is not logged, it carries the client with everything that it knows.
  pool.on('error', ({ message }) => {
    if (closing === undefined) options.log.warn({ reason: message }, 'an idle database connection was lost');
  });
  // A connection in use tells its query; without a listener its error event would end the process as well.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool: discardBrokenClients(pool) }) });
  return {
    db,
    poolCounts: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    close: () => {
      closing ??= closeWithin(db, limits.databaseCloseTimeoutMs, options.log);
      return closing;
    },
  };
}

function poolConfig(options: OpenDatabaseOptions): pg.PoolConfig {
  const { connectionString, socketDir, role, applicationName } = options;
  if ((connectionString === undefined) === (socketDir === undefined))
    throw new Error('openDatabase needs exactly one of connectionString and socketDir');
  const statementTimeoutMs = options.statementTimeoutMs ?? limits.databaseStatementTimeoutMs;
  const clientTimeoutMs = statementTimeoutMs + Math.min(statementTimeoutMs, limits.databaseClientGraceMs);
  const target =
    connectionString === undefined
      ? { host: socketDir as string, port: 5432, user: 'postgres', database: 'postgres', ssl: false }
      : { connectionString };
  return {
    ...target,
    max: options.max ?? limits.databasePoolMax,
    connectionTimeoutMillis: limits.databaseConnectTimeoutMs,
    idleTimeoutMillis: limits.databaseIdleTimeoutMs,
    statement_timeout: statementTimeoutMs,
    query_timeout: clientTimeoutMs,
    idle_in_transaction_session_timeout: clientTimeoutMs,
    keepAlive: true,
    types: typeParsers,
    ...(role === undefined ? {} : { options: `-c role=${role}` }),
    ...(applicationName === undefined ? {} : { application_name: applicationName }),
  };
}

/** kysely gives every client back as good; here a client is given back as what it is. */
function discardBrokenClients(pool: pg.Pool): PostgresPool {
  const wrapped = new WeakMap<pg.PoolClient, PostgresPoolClient & { isBroken: boolean }>();
  return {
    connect: async () => {
      const client = await pool.connect();
      const known = wrapped.get(client);
      if (known !== undefined) return known;
      const fresh = wrapClient(client);
      wrapped.set(client, fresh);
      return fresh;
    },
    end: () => pool.end(),
  } as unknown as PostgresPool;
}

function wrapClient(client: pg.PoolClient): PostgresPoolClient & { isBroken: boolean } {
  const wrapper = {
    isBroken: false,
    query: async (text: string, parameters: readonly unknown[]) => {
      try {
        return await client.query(text, parameters as unknown[]);
      } catch (error) {
        wrapper.isBroken ||= isConnectionBroken(error);
        throw error;
      }
    },
    release: (discard?: boolean) => client.release(discard === true || wrapper.isBroken),
  };
  return wrapper as unknown as PostgresPoolClient & { isBroken: boolean };
}

async function closeWithin(db: Kysely<Database>, timeoutMs: number, log: DatabaseLog): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<'late'>();
  const timer = setTimeout(resolve, timeoutMs, 'late');
  const outcome = await Promise.race([db.destroy(), late]);
  clearTimeout(timer);
  if (outcome === 'late') log.warn({ timeoutMs }, 'database connections were still busy at close');
}
