/**
 * Brings the schema up to date, under a lock: `migrate`, or `migrate --status` to look only (exit code 3 when something is
 * missing). Also makes the partitions of the coming months and the first key of assignment ids.
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { findMissingMigrations, openDatabase } from '@bandit/db';
import { prepareDatabase } from '@bandit/process';
import { CommandError, commandLog, loadCommandConfig, runCommand } from './run-command.ts';

await runCommand(process, async () => {
  const { values } = parseArgs({ options: { status: { type: 'boolean', default: false } } });
  const config = loadCommandConfig(process.env, 'migrate');
  const target = { connectionString: config.databaseUrl };
  if (values.status) return showStatus(target);
  const names = await prepareDatabase({
    target,
    secret: config.assignmentSecret,
    randomBytes,
    log: commandLog,
  });
  for (const name of names) console.log(name);
  console.error(names.length === 0 ? 'the schema was up to date already' : `${names.length} migrations ran`);
});

async function showStatus(target: { connectionString: string }): Promise<void> {
  const { db, close } = openDatabase({ ...target, max: 1, log: commandLog });
  try {
    const missing = await findMissingMigrations(db);
    for (const name of missing) console.log(name);
    if (missing.length > 0) throw new CommandError(`${missing.length} migrations are missing`, 3);
    console.error('the schema has everything that this version needs');
  } finally {
    await close();
  }
}
