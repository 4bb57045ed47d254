/** Processes that start while a store is away. */
import { startTcpProxy, type TcpProxy } from '@bandit/test-stores';
import t, { type Test } from 'tap';
import { type Client, createClient, until } from '../platform/client.ts';
import { signSession } from '../platform/production.ts';
import { createJournal } from './journal.ts';
import { timeUntil } from './measure.ts';
import { abExperiment } from './start-platform.ts';
import { readStatus, type ServiceProcess, startProcess, waitUntilReady } from './start-processes.ts';
import { type OwnStores, startOwnStores, testOnStores } from './start-stores.ts';

t.setTimeout(590_000);

const waitMs = 30_000;
const kinds = ['assignment', 'ingest', 'learner', 'management'] as const;
/** One route of each service. */
const routes = {
  assignment: '/assignments/exp_none?userId=a',
  ingest: undefined,
  learner: undefined,
  management: '/experiments',
} as const;

testOnStores(t, 'a start while NATS and Redis are away', async (t) => {
  const stores = await startOwnStores(t);
  const redis = await startTcpProxy({ targetPort: stores.redis.port });
  t.teardown(() => redis.close());
  await Promise.all([stores.natsProxy.refuse(true), redis.refuse(true)]);
  const started = await startAll(t, { ...stores.env, REDIS_URL: `redis://127.0.0.1:${redis.port}` });
  await Promise.all(started.map(waitUntilReady));
  const { assigning, ingesting, managing } = clientsOf(stores, started);

  const journal = createJournal();
  const experimentId = await managing.activate(abExperiment('Without NATS and Redis'));
  const users = Array.from({ length: 20 }, (_, n) => `user-${n}`);
  const assigned = await Promise.all(users.map((user) => journal.assign(assigning, experimentId, user)));
  await journal.convert(ingesting, assigned.slice(0, 7));
  await journal.judge(t, managing);
  const refused = await managing.manage('POST', `/experiments/${experimentId}/refresh`);
  t.equal(refused.status, 503, 'what needs NATS says so');
  t.ok(refused.headers.get('retry-after'));

  await t.test('they find both by themselves', async (t) => {
    await Promise.all([stores.natsProxy.refuse(false), redis.refuse(false)]);
    const refreshed = await until(
      () => managing.manage('POST', `/experiments/${experimentId}/refresh`),
      ({ status }) => status === 200,
      waitMs,
    );
    t.equal(refreshed.status, 200, 'management and learner are on NATS');
    let n = 0;
    const nKeys = await until(
      async () => {
        n += 1;
        await journal.assign(assigning, experimentId, `later-${n}`);
        return Number(await stores.redis.call('DBSIZE'));
      },
      (size) => size > 0,
      waitMs,
    );
    t.ok(nKeys > 0, 'the cache is filled');
    await journal.judge(t, managing);
  });
});

testOnStores(t, 'a start while Postgres is away', async (t) => {
  const stores = await startOwnStores(t);
  const postgres = await startTcpProxy({ targetPort: stores.postgres.port });
  t.teardown(() => postgres.close());
  await postgres.refuse(true);
  const url = new URL(stores.env.DATABASE_URL as string);
  url.port = String(postgres.port);
  const started = await startAll(t, { ...stores.env, DATABASE_URL: url.href });

  await t.test('they are up, but not ready', (t) => testNotReady(t, stores, started));
  await t.test('they become ready by themselves', async (t) => {
    await postgres.refuse(false);
    await Promise.all(started.map(waitUntilReady));
    await serve(t, stores, started);
  });
  await t.test('Postgres hangs at the start', (t) => testHangingStart(t, stores, postgres, url.href));
});

async function testNotReady(t: Test, stores: OwnStores, started: readonly ServiceProcess[]): Promise<void> {
  for (const one of started) {
    t.equal(await readStatus(one.url, '/livez'), 200, `${one.kind} lives`);
    t.equal(await readStatus(one.url, '/readyz'), 503, `${one.kind} is not ready`);
    const client = createClient(one.url, stores.apiKey, signSession());
    const path = routes[one.kind];
    const answer =
      path === undefined
        ? await client.track('POST', '/events', { assignmentId: 'a', eventType: 'CLICK' })
        : await client.track('GET', path);
    if (one.kind === 'learner') continue;
    t.equal(answer.status, 503);
    t.equal(answer.body.code, 'STORE_UNAVAILABLE');
    t.ok(answer.headers.get('retry-after'), `${one.kind} says when to come again`);
  }
}

/** A server that takes connections and says nothing. */
async function testHangingStart(
  t: Test,
  stores: OwnStores,
  postgres: TcpProxy,
  databaseUrl: string,
): Promise<void> {
  postgres.blackhole(true);
  const started = await startAll(t, { ...stores.env, DATABASE_URL: databaseUrl });
  await testNotReady(t, stores, started);
  postgres.blackhole(false);
  await Promise.all(started.map(waitUntilReady));
  await serve(t, stores, started);
}

function startAll(t: Test, env: Readonly<Record<string, string>>): Promise<ServiceProcess[]> {
  return Promise.all(kinds.map((kind) => startProcess(t, kind, env)));
}

function clientsOf({ apiKey }: OwnStores, started: readonly ServiceProcess[]) {
  const [assigning, ingesting, , managing] = started.map(({ url }) =>
    createClient(url, apiKey, signSession()),
  ) as [Client, Client, Client, Client];
  return { assigning, ingesting, managing };
}

/** An experiment from its first assignment to what is learned. */
async function serve(t: Test, stores: OwnStores, started: readonly ServiceProcess[]): Promise<void> {
  const { assigning, ingesting, managing } = clientsOf(stores, started);
  const journal = createJournal();
  const experimentId = await managing.activate(abExperiment('Served'));
  const assigned = await journal.assign(assigning, experimentId, 'user');
  await journal.convert(ingesting, [assigned]);
  await journal.judge(t, managing);
  const { body } = await managing.manage('POST', '/api-keys', { name: 'New' });
  const withNew = createClient(started[0]!.url, body.data.key);
  const takenMs = await timeUntil(
    async () => (await withNew.track('GET', `/assignments/${experimentId}?userId=user`)).status === 200,
  );
  t.ok(takenMs < 5_000, `a new key is taken after ${takenMs.toFixed(0)} ms`);
}
