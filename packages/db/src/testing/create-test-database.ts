import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { startThread } from '../embedded/start-embedded.ts';
import { type OpenDatabaseOptions, openDatabase } from '../open-database.ts';
import type { Database } from '../schema.ts';
import { loadPgliteTemplate } from './pglite-template.ts';
import { clonePostgres, testDatabaseUrl } from './postgres-template.ts';
import { type TestScope, testLog } from './test-scope.ts';

export type StoreKind = 'pglite' | 'postgres';

export interface TestDatabaseOptions {
  /** Default: pglite. */
  readonly kind?: StoreKind;
  /** For the pool behind `db`. */
  readonly role?: NonNullable<OpenDatabaseOptions['role']>;
  readonly statementTimeoutMs?: number;
  readonly max?: number;
}

/** How to open a further pool on the same clone: openDatabase({ ...store.target, log }). */
export type TestTarget = { readonly connectionString: string } | { readonly socketDir: string };

export interface TestDatabase {
  readonly kind: StoreKind;
  readonly db: Kysely<Database>;
  readonly target: TestTarget;
  /** A further pool on the same clone, closed at teardown. `role` is ignored on PGlite (one session). */
  open(options?: Omit<TestDatabaseOptions, 'kind'>): Kysely<Database>;
}

/**
 * A migrated, empty database of the caller's own, dropped at teardown. Make one per test file and give each sub-test
 * a company of its own.
 */
export async function createTestDatabase(
  t: TestScope,
  options: TestDatabaseOptions = {},
): Promise<TestDatabase> {
  const kind = options.kind ?? 'pglite';
  const { target, drop } = kind === 'pglite' ? await clonePglite() : await clonePostgresTarget();
  const pools: { close(): Promise<void> }[] = [];
  const open = (poolOptions: Omit<TestDatabaseOptions, 'kind'> = {}) => {
    const { role, ...rest } = poolOptions;
    const pool = openDatabase({
      ...target,
      ...rest,
      ...(role === undefined || kind === 'pglite' ? {} : { role }),
      log: testLog,
    });
    pools.push(pool);
    return pool.db;
  };
  t.teardown(async () => {
    await Promise.all(pools.map((pool) => pool.close()));
    await drop();
  });
  const { kind: _, ...first } = options;
  return { kind, db: open(first), target, open };
}

interface Clone {
  readonly target: TestTarget;
  drop(): Promise<void>;
}

async function clonePostgresTarget(): Promise<Clone> {
  const { connectionString, drop } = await clonePostgres(testDatabaseUrl());
  return { target: { connectionString }, drop };
}

/** In memory, from the template: nothing is written but the socket. */
async function clonePglite(): Promise<Clone> {
  const template = await loadPgliteTemplate();
  const socketDir = mkdtempSync(join(tmpdir(), 'bandit-test-'));
  const input = { template, socketPath: join(socketDir, '.s.PGSQL.5432') };
  const thread = await startThread(input, (error) => {
    throw error;
  });
  return {
    target: { socketDir },
    drop: async () => {
      await thread.stop('close');
      rmSync(socketDir, { recursive: true, force: true });
    },
  };
}
