/**
 * Makes the first company of an empty platform with its admin and prints the API key, this once:
 * `bootstrap --email ada@example.com [--name "My company"]`. Exit code 3 when there is a company already.
 */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { makeApiKey } from '@bandit/auth';
import { countCompanies, createDatabaseClock, openDatabase } from '@bandit/db';
import { createCompany } from '@bandit/management';
import { CommandError, commandLog, loadCommandConfig, readEmail, runCommand } from './run-command.ts';

await runCommand(process, async () => {
  const { values } = parseArgs({ options: { email: { type: 'string' }, name: { type: 'string' } } });
  const { name = 'My company' } = values;
  const adminEmail = readEmail(values.email, 'the first admin');
  const { databaseUrl } = loadCommandConfig(process.env, 'make a company in');
  const { db, close } = openDatabase({ connectionString: databaseUrl, max: 1, log: commandLog });
  try {
    if ((await countCompanies(db)) > 0)
      throw new CommandError('there is a company already: more are made by POST /companies', 3);
    const clock = createDatabaseClock({ db, monotonicMs: () => performance.now(), pollMs: 0 });
    await clock.refresh();
    const deps = {
      db,
      randomBytes,
      nowMs: clock.nowMs,
      makeApiKey: () => makeApiKey('live', randomBytes),
      // Processes hear of it by their poll, within a second.
      bus: { publish: () => undefined },
    };
    const company = await createCompany(deps, { name, adminEmail });
    console.error(`company ${company.id}, admin ${adminEmail}; the API key is shown only now:`);
    console.log(company.apiKey);
  } finally {
    await close();
  }
});
