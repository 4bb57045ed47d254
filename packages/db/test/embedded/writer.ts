/**
 * A program that embedded.test.ts kills: inserts companies for ever, four at a time, and prints each id once its
 * insert was answered. Arguments: data folder, prefix of the ids.
 */
import { openDatabase, startEmbedded } from '../../src/index.ts';
import { loadPgliteTemplate } from '../../src/testing/pglite-template.ts';
import { testLog } from '../../src/testing/test-scope.ts';

const [dataDir, prefix] = process.argv.slice(2) as [string, string];
const template = await loadPgliteTemplate();
const log = { ...testLog, warn: () => undefined };
const { socketDir } = await startEmbedded({
  dataDir,
  startedAt: '2026-01-01T00:00:00.000Z',
  template,
  log,
  onExit: (error) => {
    throw error;
  },
});
const { db } = openDatabase({ socketDir, log });
let n = 0;
const write = async () => {
  for (;;) {
    n += 1;
    const id = `${prefix}${n}`;
    await db.insertInto('companies').values({ id, name: id }).execute();
    process.stdout.write(`${id}\n`);
  }
};
await Promise.all([write(), write(), write(), write()]);
