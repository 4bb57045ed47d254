/**
 * Adds a key for assignment ids: `rotate-mac-key`. Every process reads it within seconds and verifies by it; it signs from a
 * minute on. The keys before it go on verifying the ids that they signed.
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { type MacKey, unwrapMacKey, wrapMacKey } from '@bandit/auth';
import { limits } from '@bandit/contracts';
import { insertMacKey, loadMacKeys, openDatabase } from '@bandit/db';
import { CommandError, commandLog, loadCommandConfig, runCommand } from './run-command.ts';

await runCommand(process, async () => {
  parseArgs({ options: {} });
  const { databaseUrl, assignmentSecret } = loadCommandConfig(process.env, 'add a key to');
  if (assignmentSecret === undefined)
    throw new CommandError('ASSIGNMENT_SECRET must be set: it wraps the keys', 2);
  const { db, close } = openDatabase({ connectionString: databaseUrl, max: 1, log: commandLog });
  try {
    const [newest] = await loadMacKeys(db);
    if (newest === undefined) throw new CommandError('there is no key yet: run migrate', 3);
    // A key wrapped by another secret would stop every process at its next start.
    unwrapMacKey(newest.id, newest.wrapped, assignmentSecret);
    const key: MacKey = { id: randomBytes(6).toString('base64url'), key: randomBytes(32) };
    await insertMacKey(db, key.id, wrapMacKey(key, assignmentSecret, randomBytes));
    console.log(key.id);
    console.error(`it signs in ${limits.macKeyKnownAfterMs / 1_000} s; keys before it go on verifying`);
  } finally {
    await close();
  }
});
