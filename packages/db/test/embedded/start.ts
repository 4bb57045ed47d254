import {
  type EmbeddedDatabase,
  openDatabase,
  type StartEmbeddedOptions,
  startEmbedded,
} from '../../src/index.ts';
import { loadPgliteTemplate } from '../../src/testing/pglite-template.ts';

export const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
const template = await loadPgliteTemplate();

export function start(dataDir: string, more: Partial<StartEmbeddedOptions> = {}): Promise<EmbeddedDatabase> {
  const startedAt = '2026-02-03T04:05:06.000Z';
  const onExit = (error: Error) => {
    throw error;
  };
  return startEmbedded({ dataDir, startedAt, onExit, template, log: quiet, ...more });
}

/** Opens the folder, runs `work` on a pool and closes both. */
export async function withFolder<T>(
  dataDir: string,
  work: (db: ReturnType<typeof openDatabase>['db']) => Promise<T>,
): Promise<T> {
  const embedded = await start(dataDir);
  const { db, close } = openDatabase({ socketDir: embedded.socketDir, log: quiet });
  try {
    return await work(db);
  } finally {
    await close();
    await embedded.close();
  }
}

export const listCompanies = async (db: ReturnType<typeof openDatabase>['db']) =>
  (await db.selectFrom('companies').select('id').execute()).map((row) => row.id);
