/** One process on a database without NATS, several with it. */
import { createTestDatabase } from '@bandit/db/testing';
import { hasNatsServer, startNats } from '@bandit/test-stores';
import pg from 'pg';
import t, { type Test } from 'tap';
import { type ChildPlatform, makeDataDir, startChild } from './child-platform.ts';
import { type Client, createClient, until } from './client.ts';
import { productionSecrets, signSession } from './production.ts';

t.setTimeout(300_000);

const waitMs = 30_000;
/** Other tests hold the same locks in other databases of the server. */
const inThisDatabase = 'database = (select oid from pg_database where datname = current_database())';
/** Of the lock, in infra/local/single-process-lock.ts. */
const lockKey = 7_220_151_119;
const experiment = {
  name: 'Shared',
  algorithm: 'THOMPSON_SAMPLING',
  treatments: [
    { name: 'A', config: { content: 'a' } },
    { name: 'B', config: { content: 'b' } },
  ],
};

async function startOn(
  t: Test,
  databaseUrl: string,
  env: Record<string, string> = {},
): Promise<ChildPlatform> {
  const dataDir = await makeDataDir(t);
  return startChild(t, dataDir, { DATABASE_URL: databaseUrl, ...productionSecrets, ...env });
}

async function makeDatabase(t: Test): Promise<string> {
  const { target } = await createTestDatabase(t, { kind: 'postgres', max: 1 });
  if (!('connectionString' in target)) throw new Error('a real Postgres was asked for');
  return target.connectionString;
}

async function connectTo(t: Test, connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  t.teardown(() => client.end());
  await client.connect();
  return client;
}

async function readReadiness(url: string): Promise<{ status: number; checks: Record<string, boolean> }> {
  const response = await fetch(`${url}/readyz`);
  const { checks } = (await response.json()) as { checks: Record<string, boolean> };
  return { status: response.status, checks };
}

const isReachable = await canReachPostgres();
if (!isReachable && process.env.CI_REQUIRE_STORES !== '1') {
  console.warn('NOT TESTED ON POSTGRES: no server for the tests at TEST_DATABASE_URL');
  t.test('a single process', { skip: 'Postgres is not reachable' }, () => undefined);
} else {
  t.test('without NATS, the lock of the single process', testLock);
  testTwoProcesses();
}

async function testLock(t: Test): Promise<void> {
  const databaseUrl = await makeDatabase(t);
  const platform = await startOn(t, databaseUrl);
  const [rival, admin] = [await connectTo(t, databaseUrl), await connectTo(t, databaseUrl)];
  const cut = async (): Promise<number> => {
    const { rowCount } = await admin.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = 'bandit single-process lock' and datname = current_database()`,
    );
    return rowCount ?? 0;
  };
  const findHolder = async (): Promise<number | undefined> => {
    const { rows } = await admin.query(
      `select pid from pg_locks where locktype = 'advisory' and granted and ${inThisDatabase} and (classid::bigint << 32 | objid::bigint) = $1`,
      [lockKey],
    );
    return rows[0]?.pid;
  };

  await t.test('it is taken again after its connection was cut', async (t) => {
    const before = await findHolder();
    t.ok(before, 'it is held');
    t.equal(await cut(), 1);
    const after = await until(findHolder, (pid) => pid !== undefined && pid !== before, waitMs);
    t.ok(after);
    t.not(after, before, 'by another session');
    const { status } = await until(
      () => readReadiness(platform.url),
      (one) => one.status === 200,
      waitMs,
    );
    t.equal(status, 200);
  });

  await t.test('the process is not ready while another holds it', async (t) => {
    const taken = rival.query('select pg_advisory_lock($1)', [lockKey]);
    await until(
      async () =>
        (
          await admin.query(
            `select 1 from pg_locks where locktype = 'advisory' and not granted and ${inThisDatabase}`,
          )
        ).rowCount,
      (n) => (n ?? 0) > 0,
      waitMs,
    );
    t.equal(await cut(), 1);
    await taken;
    const lost = await until(
      () => readReadiness(platform.url),
      ({ status }) => status === 503,
      waitMs,
    );
    t.equal(lost.status, 503);
    t.equal(lost.checks['single process'], false, 'and says why');
    await rival.query('select pg_advisory_unlock_all()');
    const back = await until(
      () => readReadiness(platform.url),
      ({ status }) => status === 200,
      waitMs,
    );
    t.equal(back.status, 200, 'ready again by itself');
    await t.rejects(startOn(t, databaseUrl), /another process of the platform/, 'nobody else may start');
  });
  t.equal(await platform.stop('SIGTERM'), 0);
}

function testTwoProcesses(): void {
  const skip =
    hasNatsServer() || process.env.CI_REQUIRE_STORES === '1' ? false : 'no nats-server is installed';
  if (skip) console.warn(`NOT TESTED ON NATS: two processes on one database (${skip})`);
  t.test('with NATS, two processes on one database agree', { skip }, async (t) => {
    const nats = await startNats();
    t.teardown(() => nats.stop());
    const databaseUrl = await makeDatabase(t);
    const first = await startOn(t, databaseUrl, { NATS_URL: nats.url });
    const second = await startOn(t, databaseUrl, { NATS_URL: nats.url });
    const apiKey = first.apiKey as string;
    t.equal(second.apiKey, undefined, 'the second finds the first company');
    const clients = [first, second].map(({ url }) => createClient(url, apiKey, signSession()));
    await testAgreement(t, clients as [Client, Client]);
    t.strictSame([await first.stop('SIGTERM'), await second.stop('SIGTERM')], [0, 0]);
  });
}

async function testAgreement(t: Test, [a, b]: [Client, Client]): Promise<void> {
  const experimentId = await a.activate(experiment);
  const users = Array.from({ length: 40 }, (_, n) => `user-${n}`);
  const answers = await Promise.all(
    users.flatMap((userId) =>
      [a, b].map((client) => client.track('POST', '/assignments', { experimentId, userId })),
    ),
  );
  const ids = new Set(answers.map(({ body }) => body.data.assignmentId));
  t.equal(ids.size, users.length, 'one assignment a user');
  const events = [...ids].slice(0, 15).map((assignmentId) => ({ assignmentId, eventType: 'CONVERSION' }));
  const posted = await Promise.all([a, b].map((client) => client.track('POST', '/events/batch', { events })));
  t.equal(
    posted.reduce((sum, { body }) => sum + body.data.success_count, 0),
    events.length,
    'each conversion is taken by one of the two',
  );
  for (const client of [a, b]) {
    const { body } = await until(
      () => client.manage('GET', `/experiments/${experimentId}/results`),
      (answer) => answer.body.data.totals.conversions === events.length,
      waitMs,
    );
    t.match(body.data.totals, { trials: users.length, conversions: events.length });
  }
  t.equal((await b.manage('PUT', `/experiments/${experimentId}`, { status: 'PAUSED' })).status, 200);
  const paused = await until(
    () => a.track('POST', '/assignments', { experimentId, userId: 'user-1' }),
    ({ status }) => status === 400,
    waitMs,
  );
  t.equal(paused.status, 400, 'a change in one holds in the other');
  const refreshed = await Promise.all(
    [a, b].map((one) => one.manage('POST', `/experiments/${experimentId}/refresh`)),
  );
  t.strictSame(
    refreshed.map(({ status }) => status),
    [200, 200],
  );
}

async function canReachPostgres(): Promise<boolean> {
  const client = new pg.Client({
    connectionString: process.env.TEST_DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/test',
    connectionTimeoutMillis: 2_000,
  });
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
