/** The one process where its database is not what an ordinary start finds: in production, away, or taken by another. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { findFreePort, hasPostgresServer, startPostgres } from '@bandit/test-stores';
import pg from 'pg';
import t, { type Test } from 'tap';
import { makeDataDir, startChild } from './child-platform.ts';
import { until } from './client.ts';
import { productionSecrets } from './production.ts';

const main = fileURLToPath(new URL('../../infra/local/boot.js', import.meta.url));
/** A busy machine is not a failure. */
const withinMs = 90_000;

t.setTimeout(400_000);

await t.test(
  'the embedded database is brought up to date in production too: nobody else could',
  async (t) => {
    const env = { NODE_ENV: 'production', ...productionSecrets };
    const platform = await startChild(t, await makeDataDir(t), env);
    t.equal((await fetch(`${platform.url}/readyz`)).status, 200);
    t.ok(platform.apiKey);
    t.equal(await platform.stop('SIGTERM'), 0);
  },
);

if (hasPostgresServer()) {
  await t.test('a Postgres that is away at start is waited for', testAway);
  await t.test('the lock of the single process', testLock);
} else if (process.env.CI_REQUIRE_STORES === '1') {
  t.fail('CI_REQUIRE_STORES=1, but no Postgres is installed');
} else {
  console.warn('NOT TESTED ON POSTGRES: a start without its database, as no server is installed here');
  t.test('a start without Postgres', { skip: 'no Postgres server is installed here' }, () => undefined);
}

/** The process as it is, ready or not. */
async function spawnPlatform(t: Test, databaseUrl: string) {
  const port = await findFreePort();
  const child = spawn(process.execPath, ['--no-warnings', main], {
    env: { PATH: process.env.PATH, PORT: String(port), DATABASE_URL: databaseUrl, ...productionSecrets },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  t.teardown(() => {
    child.kill('SIGKILL');
    return ended;
  });
  const ask = async (path: string, method = 'GET'): Promise<number> => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method }).catch(() => undefined);
    await answer?.text();
    return answer?.status ?? 0;
  };
  return {
    output: () => text,
    ask,
    /** Asks until that is the answer; the last one when it never is. */
    settle: (path: string, status: number) =>
      until(
        () => ask(path),
        (answer) => answer === status,
        withinMs,
      ),
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

async function testAway(t: Test): Promise<void> {
  const server = await startPostgres();
  t.teardown(() => server.stop());
  await server.kill('SIGKILL');

  const platform = await spawnPlatform(t, server.connectionString);
  t.equal(await platform.settle('/livez', 200), 200, 'it listens at once');
  t.equal(await platform.ask('/readyz'), 503);
  t.equal(await platform.ask('/experiments'), 503);
  await until(
    async () => platform.output(),
    (text) => text.includes('waiting for the database'),
    withinMs,
  );
  t.equal(platform.output().match(/waiting for the database/g)?.length, 1, 'said once');

  const other = await spawnPlatform(t, server.connectionString);
  t.equal(await other.settle('/livez', 200), 200);
  t.equal(await other.stop(), 0, 'SIGTERM while it waits ends it in order');

  await server.restart();
  t.equal(await platform.settle('/readyz', 200), 200, 'it goes on by itself');
  t.equal(await platform.ask('/experiments'), 401);
  const text = await until(
    async () => platform.output(),
    (text) => text.includes('API key'),
    withinMs,
  );
  t.match(text, /API key {2}\S+/, 'and makes the first company');
  t.equal(await platform.stop(), 0);
}

async function testLock(t: Test): Promise<void> {
  const server = await startPostgres();
  t.teardown(() => server.stop());
  const platform = await spawnPlatform(t, server.connectionString);
  t.equal(await platform.settle('/readyz', 200), 200);

  const refused = await spawnPlatform(t, server.connectionString);
  t.equal(await refused.settle('/livez', 0), 0);
  const why = await until(
    async () => refused.output(),
    (text) => text.includes('another process'),
    withinMs,
  );
  t.match(why, /another process of the platform/, 'a second one is refused');

  const client = new pg.Client({ connectionString: server.connectionString });
  t.teardown(() => client.end());
  await client.connect();
  const cut = `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
    and pid <> pg_backend_pid() and pid in
      (select pid from pg_stat_activity where application_name = 'bandit single-process lock')`;
  t.equal((await client.query(cut)).rowCount, 1);
  await until(
    async () => platform.output(),
    (text) => text.includes('held again'),
    withinMs,
  );
  t.match(platform.output(), /held again/, 'a lock that was cut is taken again');
  t.equal(await platform.settle('/readyz', 200), 200);

  // Whoever comes in between keeps it: this session waits for it and gets it with the cut.
  const { rows } = await client.query<{ key: string }>(
    `select ((classid::bigint << 32) | objid::bigint)::text as key from pg_locks where locktype = 'advisory'
      and pid in (select pid from pg_stat_activity where application_name = 'bandit single-process lock')`,
  );
  const taking = client.query('select pg_advisory_lock($1)', [rows[0]?.key]);
  const cutter = new pg.Client({ connectionString: server.connectionString });
  await cutter.connect();
  await until(
    async () => (await cutter.query('select 1 from pg_locks where not granted')).rowCount,
    (n) => n === 1,
    withinMs,
  );
  await cutter.query(cut.replace('pid <> pg_backend_pid() and', 'granted and'));
  await cutter.end();
  await taking;
  t.equal(await platform.settle('/readyz', 503), 503, 'not ready while another holds it');
  const told = await until(
    async () => platform.output(),
    (text) => text.includes('must be stopped'),
    withinMs,
  );
  t.match(told, /another process took the single-process lock/);
  await client.query('select pg_advisory_unlock_all()');
  t.equal(await platform.settle('/readyz', 200), 200, 'ready when it is given back');
  t.equal(await platform.stop(), 0);
}
