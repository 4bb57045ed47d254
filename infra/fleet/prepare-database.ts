import { randomBytes } from 'node:crypto';
import { makeApiKey } from '@bandit/auth';
import type { Config } from '@bandit/config';
import { limits } from '@bandit/contracts';
import { findMissingMigrations, type OpenedDatabase, openDatabase } from '@bandit/db';
import { assignmentSecretOf, poolSettings, prepareDatabase } from '@bandit/process';
import pg from 'pg';
import type { Logger } from 'pino';
import { type FirstRun, makeFirstCompany } from '../local/first-run.ts';
import { findConnectionShortage } from './connection-budget.ts';

/** The database is not what the fleet can start on: an operator's turn. */
export class NotPreparedError extends Error {
  override readonly name = 'NotPreparedError';
}

/**
 * Makes sure, before any process starts, that they fit into Postgres's connections and that the schema is theirs: brought
 * up to date in development, only looked at in production. Makes the first company on an empty database.
 *
 * @throws NotPreparedError with a sentence for the operator
 */
export async function prepareForFleet(
  config: Config,
  log: Logger,
  nowMs: () => number,
): Promise<FirstRun | undefined> {
  const connectionString = config.databaseUrl as string;
  await checkConnections(connectionString, config);
  const target = { connectionString };
  if (config.isMigratedAtStart) {
    await prepareDatabase({ target, secret: assignmentSecretOf(config, undefined), randomBytes, log });
  }
  const opened = openDatabase({ ...target, max: 1, applicationName: 'bandit fleet', log });
  try {
    if (!config.isMigratedAtStart) await checkSchema(opened.db);
    const environment = config.isProduction ? 'live' : 'test';
    const deps = {
      db: opened.db,
      // No process runs yet that would have to hear of it.
      bus: { publish: () => undefined, request: () => Promise.reject(new Error('nobody listens yet')) },
      nowMs,
      randomBytes,
      makeApiKey: () => makeApiKey(environment, randomBytes),
    };
    return await makeFirstCompany(opened.db, deps, config.bootstrapAdminEmail);
  } finally {
    await opened.close();
  }
}

async function checkSchema(db: OpenedDatabase['db']): Promise<void> {
  const missing = await findMissingMigrations(db);
  if (missing.length === 0) return;
  throw new NotPreparedError(
    `The schema lacks ${missing.join(', ')}: run \`npx -y pnpm@12.21.0 migrate\` of this version, then start again.`,
  );
}

async function checkConnections(connectionString: string, config: Config): Promise<void> {
  const { serverMax, serverReserved } = await readServerLimits(connectionString);
  const of = (name: keyof typeof poolSettings): number => poolSettings.shared.max + poolSettings[name].max;
  const shortage = findConnectionShortage({
    counts: config.instances,
    perProcess: {
      assignment: of('assignment'),
      ingest: of('accept'),
      learner: of('learner'),
      management: poolSettings.shared.max + config.databasePoolMax,
    },
    serverMax,
    serverReserved,
  });
  if (shortage !== undefined) throw new NotPreparedError(shortage);
}

async function readServerLimits(
  connectionString: string,
): Promise<{ serverMax: number; serverReserved: number }> {
  const client = new pg.Client({
    connectionString,
    connectionTimeoutMillis: limits.databaseConnectTimeoutMs,
    query_timeout: limits.databaseStatementTimeoutMs,
    application_name: 'bandit fleet',
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const read = async (name: string): Promise<number> => {
      const { rows } = await client.query(`select setting from pg_settings where name = $1`, [name]);
      return Number(rows[0]?.setting ?? 0);
    };
    return {
      serverMax: await read('max_connections'),
      serverReserved: await read('superuser_reserved_connections'),
    };
  } catch (error) {
    // The driver's error carries its whole configuration: the sentence alone goes on.
    const { message, code } = error as { message?: string; code?: string };
    throw new NotPreparedError(`Postgres at DATABASE_URL cannot be asked: ${message || code}`);
  } finally {
    await client.end().catch(() => undefined);
  }
}
