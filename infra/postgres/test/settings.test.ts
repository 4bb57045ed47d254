/** postgresql.conf on a real server: it starts with it, and every setting is known and in force. */
import { readFileSync } from 'node:fs';
import { hasPostgresServer, startPostgres } from '@bandit/test-stores';
import pg from 'pg';
import t, { type Test } from 'tap';

t.setTimeout(120_000);

async function testSettings(t: Test): Promise<void> {
  const settings = readSettings(readFileSync(new URL('../postgresql.conf', import.meta.url), 'utf8'));
  // Of the machine, not of the file.
  const server = await startPostgres({ settings: { ...settings, shared_buffers: '16MB' } });
  t.teardown(() => server.stop());
  const client = new pg.Client({ connectionString: server.connectionString });
  await client.connect();
  t.teardown(() => client.end());
  const { rows } = await client.query<{ name: string; source: string }>(
    'select name, source from pg_settings',
  );
  const sources = new Map(rows.map((row) => [row.name, row.source]));
  for (const name of Object.keys(settings)) t.equal(sources.get(name), 'command line', name);
  const { rows: kept } = await client.query(`select current_setting('fsync') as fsync,
    current_setting('synchronous_commit') as commit, current_setting('full_page_writes') as pages`);
  t.strictSame(kept, [{ fsync: 'on', commit: 'on', pages: 'on' }]);
}

function readSettings(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => {
      const [name = '', value = ''] = line.split('=').map((part) => part.trim());
      return [name, value];
    }),
  );
}

if (hasPostgresServer()) await t.test('postgresql.conf', testSettings);
else if (process.env.CI_REQUIRE_STORES === '1') t.fail('CI_REQUIRE_STORES=1, but no Postgres is installed');
else {
  console.warn('NOT TESTED: postgresql.conf, as no Postgres server is installed here');
  t.test('postgresql.conf', { skip: 'no Postgres server is installed here' }, async () => undefined);
}
