import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { startThread } from '../embedded/start-embedded.ts';
import { migrate } from '../migrate.ts';
import { openDatabase } from '../open-database.ts';
import { hashMigrations } from './migrations-hash.ts';
import { testLog } from './test-scope.ts';

const cacheFolder = fileURLToPath(new URL('../../../../node_modules/.cache/bandit-db/', import.meta.url));

/**
 * A migrated, empty cluster as a tar: made once per text of the migrations and kept under node_modules/.cache. Several
 * processes may make it at one time: each writes its own file and renames it, whole, into place.
 */
export async function loadPgliteTemplate(folder = cacheFolder): Promise<Uint8Array> {
  const path = join(folder, `template-${hashMigrations()}.tar`);
  if (existsSync(path)) return readFileSync(path);
  const template = await buildTemplate();
  mkdirSync(folder, { recursive: true });
  removeOthers(folder, path);
  const part = `${path}.${process.pid}`;
  writeFileSync(part, template);
  renameSync(part, path);
  return template;
}

/** Templates of migrations as they were before; never a part that another process is writing. */
function removeOthers(folder: string, path: string): void {
  for (const name of readdirSync(folder))
    if (name.endsWith('.tar') && join(folder, name) !== path) rmSync(join(folder, name), { force: true });
}

async function buildTemplate(): Promise<Uint8Array> {
  const socketDir = mkdtempSync(join(tmpdir(), 'bandit-test-'));
  try {
    const thread = await startThread({ socketPath: join(socketDir, '.s.PGSQL.5432') }, rethrow);
    const { db, close } = openDatabase({ socketDir, statementTimeoutMs: 60_000, log: testLog });
    await migrate(db);
    // 40 MB become 15, and a clone starts in 0.26 s instead of 0.36.
    await sql`update pg_database set datistemplate = false`.execute(db);
    await sql`drop database template0`.execute(db);
    await sql`drop database template1`.execute(db);
    await close();
    const dump = await thread.stop('dump');
    if (dump?.kind !== 'dumped') throw new Error('the template database was not dumped');
    return dump.template;
  } finally {
    rmSync(socketDir, { recursive: true, force: true });
  }
}

function rethrow(error: Error): never {
  throw error;
}
