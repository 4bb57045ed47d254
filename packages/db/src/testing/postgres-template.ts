import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { migrate } from '../migrate.ts';
import { openDatabase } from '../open-database.ts';
import { hashMigrations } from './migrations-hash.ts';
import { testLog } from './test-scope.ts';

const defaultUrl = 'postgres://postgres@127.0.0.1:5432/test';
const connectTimeoutMs = 2_000;
/** Any fixed number: serialises the making of templates on one server. */
const templateLock = 7_242_101;

/** Where the tests' real Postgres is; the role must be allowed to create databases and roles. */
export function testDatabaseUrl(): string {
  return process.env.TEST_DATABASE_URL ?? defaultUrl;
}

/** undefined when a server answers there, else why not. */
export async function whyUnreachable(url: string): Promise<string | undefined> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: connectTimeoutMs });
  try {
    await client.connect();
    await client.query('select 1');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message || String(error) : String(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

export interface PostgresClone {
  readonly connectionString: string;
  drop(): Promise<void>;
}

/** A database of its own, cloned from a migrated template that is made once per text of the migrations. */
export async function clonePostgres(
  url: string,
  template = `bandit_template_${hashMigrations()}`,
): Promise<PostgresClone> {
  const name = `bandit_test_${process.pid}_${randomBytes(6).toString('hex')}`;
  await withAdmin(url, async (admin) => {
    // The lock also covers the copy: a template is copied only while nobody is connected to it.
    await admin.query('select pg_advisory_lock($1)', [templateLock]);
    await ensureTemplate(admin, url, template);
    await admin.query(`create database ${name} template ${template}`);
  });
  return {
    connectionString: urlOfDatabase(url, name),
    drop: () =>
      withAdmin(url, async (admin) => {
        await admin.query(`drop database if exists ${name} with (force)`);
      }),
  };
}

async function ensureTemplate(admin: pg.Client, url: string, template: string): Promise<void> {
  const found = await admin.query('select 1 from pg_database where datname = $1', [template]);
  if (found.rowCount === 1) return;
  const part = `${template}_part`;
  await admin.query(`drop database if exists ${part} with (force)`);
  await admin.query(`create database ${part} template template0`);
  const { db, close } = openDatabase({
    connectionString: urlOfDatabase(url, part),
    statementTimeoutMs: 60_000,
    log: testLog,
  });
  try {
    await migrate(db);
  } finally {
    await close();
  }
  await admin.query(`alter database ${part} rename to ${template}`);
}

async function withAdmin(url: string, work: (admin: pg.Client) => Promise<void>): Promise<void> {
  const admin = new pg.Client({ connectionString: url, connectionTimeoutMillis: connectTimeoutMs });
  await admin.connect();
  try {
    await work(admin);
  } finally {
    await admin.end();
  }
}

function urlOfDatabase(url: string, name: string): string {
  const target = new URL(url);
  target.pathname = `/${name}`;
  return target.href;
}
