import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import pg from 'pg';
import t from 'tap';
import { hasPostgresServer, type PostgresServer, startPostgres } from '../../src/index.ts';

const isMissing = !hasPostgresServer();
if (isMissing && process.env.CI_REQUIRE_STORES === '1')
  throw new Error('CI_REQUIRE_STORES=1, but no Postgres server is installed');
if (isMissing) console.warn('NOT TESTED: no Postgres server is installed here');

async function query(server: PostgresServer, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: server.connectionString, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query(text)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

t.test('a server of its own', { skip: isMissing ? 'no Postgres server' : false }, async (t) => {
  const server = await startPostgres();
  t.teardown(() => server.stop());
  await query(server, 'create table notes (n integer)');

  t.same(await query(server, 'show fsync'), [{ fsync: 'on' }], 'fsync is on');

  await t.test('what was committed survives kill -9, also twice, with sessions open', async (t) => {
    for (const n of [1, 2]) {
      const idle = new pg.Client({ connectionString: server.connectionString });
      idle.on('error', () => undefined);
      await idle.connect();
      await query(server, `insert into notes values (${n})`);
      const before = server.pid;
      await server.kill('SIGKILL');
      await t.rejects(query(server, 'select 1'), { code: 'ECONNREFUSED' });
      await server.restart();
      t.not(server.pid, before);
      await idle.end().catch(() => undefined);
    }
    t.same(await query(server, 'select n from notes order by n'), [{ n: 1 }, { n: 2 }]);
  });

  await t.test('SIGSTOP hangs open sessions too, SIGCONT lets them go on', async (t) => {
    const client = new pg.Client({ connectionString: server.connectionString });
    await client.connect();
    await server.kill('SIGSTOP');
    let isAnswered = false;
    const answer = client.query('select 1').then(() => {
      isAnswered = true;
    });
    // Nothing else to wait for: a hung server does nothing. Far longer than an answer takes.
    const hung = new Promise((resolve) => setTimeout(resolve, 300));
    await Promise.race([answer, hung]);
    t.notOk(isAnswered);
    await server.kill('SIGCONT');
    await answer;
    t.ok(isAnswered);
    await client.end();
  });

  await t.test('a restart ends what is open and keeps the port', async (t) => {
    await server.restart();
    t.same(await query(server, 'select count(*)::int as n from notes'), [{ n: 2 }]);
  });
});

t.test(
  'stop leaves no process, port or folder',
  { skip: isMissing ? 'no Postgres server' : false },
  async (t) => {
    const server = await startPostgres();
    const { pid, port, dir } = server;
    await server.kill('SIGSTOP');
    await server.stop();
    t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    t.notOk(existsSync(dir));
    const probe = createServer();
    await new Promise<void>((resolve, reject) =>
      probe.once('error', reject).listen(port, '127.0.0.1', resolve),
    );
    probe.close();
  },
);

t.test(
  'a port that is taken is told with the log',
  { skip: isMissing ? 'no Postgres server' : false },
  async (t) => {
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
    t.teardown(() => void probe.close());
    const { port } = probe.address() as { port: number };
    await t.rejects(startPostgres({ port }), { message: /Address already in use/ });
  },
);
