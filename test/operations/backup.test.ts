/** The backup of docs/operations.md, walked through: dump, restore into an empty cluster, everything as it was. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type PostgresServer, startPostgres } from '@bandit/test-stores';
import t, { type Test } from 'tap';
import { makeDataDir, startChild } from '../platform/child-platform.ts';
import { type Client, createClient, until } from '../platform/client.ts';
import { productionSecrets, signSession } from '../platform/production.ts';
import { requirePostgresServer } from './own-stores.ts';

t.setTimeout(300_000);

const run = promisify(execFile);
const algorithms = ['EPSILON_GREEDY', 'UCB1', 'THOMPSON_SAMPLING', 'LINEAR_CONTEXTUAL', 'NEURAL_CONTEXTUAL'];
const nUsers = 60;

interface Recorded {
  readonly experimentId: string;
  readonly userId: string;
  readonly context: Record<string, string | number>;
  readonly assignmentId: string;
}

t.test('a dump restored into an empty cluster is the same platform', async (t) => {
  if (!requirePostgresServer(t)) return;
  const from = await startOwn(t);
  const into = await startOwn(t);
  const first = await startOn(t, from);
  const apiKey = first.apiKey as string;
  const before = createClient(first.url, apiKey, signSession());
  const experimentIds = await Promise.all(algorithms.map((algorithm) => makeExperiment(before, algorithm)));
  const funnel = await before.manage('POST', '/funnels', { name: 'Checkout', experimentIds });
  t.equal(funnel.status, 201);
  const funnelId: string = funnel.body.data.id;
  const recorded = await makeHistory(before, experimentIds, funnelId);
  await until(
    () => countAll(before, experimentIds),
    ({ trials, pending }) => trials === recorded.length && pending === 0,
    30_000,
  );
  const expected = await readEverything(before, experimentIds, funnelId);
  // Taken while the platform runs: a dump is one snapshot.
  await copyDatabase(t, from, into);
  t.equal(await first.stop('SIGTERM'), 0);

  const second = await startOn(t, into);
  t.equal(second.apiKey, undefined, 'the company is there already');
  const after = createClient(second.url, apiKey, signSession());

  await t.test('every number and every list is equal', async (t) => {
    t.strictSame(await readEverything(after, experimentIds, funnelId), expected);
  });

  await t.test('every user keeps the treatment and the id; what was counted stays counted', async (t) => {
    for (const { experimentId, userId, context, assignmentId } of recorded) {
      const { body } = await after.track('POST', '/assignments', { experimentId, userId, context });
      if (body.data?.assignmentId !== assignmentId) t.match(body.data, { assignmentId }, userId);
    }
    const [one] = recorded;
    const repeat = { assignmentId: one?.assignmentId, eventType: 'CONVERSION' };
    t.equal((await after.track('POST', '/events', repeat)).status, 409);
    t.equal((await after.manage('POST', `/funnels/${funnelId}/reward`, reward(one))).status, 409);
  });

  await t.test('a rebuild of the restored history changes nothing', async (t) => {
    for (const id of experimentIds)
      t.equal((await after.manage('POST', `/experiments/${id}/refresh`)).status, 200);
    const rebuilt = await readEverything(after, experimentIds, funnelId);
    t.strictSame(rebuilt.counts, expected.counts);
    t.strictSame(rebuilt.events, expected.events);
  });

  // The new cluster counts its transactions from the start again: the log opens its next epoch.
  await t.test('it goes on learning', async (t) => {
    const experimentId = experimentIds[0] as string;
    const { trials } = await countAll(after, [experimentId]);
    const assigned = await after.track('POST', '/assignments', { experimentId, userId: 'after the restore' });
    const { assignmentId } = assigned.body.data;
    const event = await after.track('POST', '/events', { assignmentId, eventType: 'CONVERSION' });
    t.equal(event.status, 201);
    const counted = await until(
      () => countAll(after, [experimentId]),
      (counts) => counts.trials === trials + 1 && counts.pending === 0,
      10_000,
    );
    t.equal(counted.trials, trials + 1);
  });
});

async function startOwn(t: Test): Promise<PostgresServer> {
  const server = await startPostgres();
  t.teardown(() => server.stop());
  return server;
}

async function startOn(t: Test, { connectionString }: PostgresServer) {
  return startChild(t, await makeDataDir(t), { DATABASE_URL: connectionString, ...productionSecrets });
}

/** The commands of docs/operations.md: group roles first, then the database. */
async function copyDatabase(t: Test, from: PostgresServer, into: PostgresServer): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'bandit-backup-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const roles = join(dir, 'roles.sql');
  const dump = join(dir, 'bandit.dump');
  await run('pg_dumpall', ['--roles-only', '--no-role-passwords', '-d', from.connectionString, '-f', roles]);
  await run('pg_dump', ['--format=custom', '-f', dump, from.connectionString]);
  // The superuser of a new cluster is there already: that one statement of the file fails.
  await run('psql', ['-X', '-q', into.connectionString, '-f', roles]);
  await run('pg_restore', ['--exit-on-error', '--single-transaction', '-d', into.connectionString, dump]);
}

function makeExperiment(client: Client, algorithm: string): Promise<string> {
  return client.activate({
    name: `Backed up ${algorithm}`,
    algorithm,
    treatments: ['A', 'B', 'C'].map((name) => ({ name, config: { content: name } })),
  });
}

/** Assignments, conversions of every third, clicks of every fifth, and funnel rewards of every seventh user. */
async function makeHistory(client: Client, experimentIds: readonly string[], funnelId: string) {
  const recorded: Recorded[] = [];
  for (let user = 0; user < nUsers; user += 1) {
    const userId = `user ${user}`;
    const context = { age: user % 7, country: user % 2 === 0 ? 'at' : 'pt' };
    for (const experimentId of experimentIds) {
      const { body } = await client.track('POST', '/assignments', { experimentId, userId, context });
      const { assignmentId } = body.data;
      recorded.push({ experimentId, userId, context, assignmentId });
      if (user % 3 === 0) await client.track('POST', '/events', { assignmentId, eventType: 'CONVERSION' });
      if (user % 5 === 0) await client.track('POST', '/events', { assignmentId, eventType: 'CLICK' });
    }
    if (user % 7 === 0)
      await client.manage('POST', `/funnels/${funnelId}/reward`, reward({ userId } as Recorded));
  }
  return recorded;
}

function reward(one: Recorded | undefined) {
  return { userId: one?.userId, value: 1 };
}

async function readEverything(client: Client, experimentIds: readonly string[], funnelId: string) {
  const get = async (path: string) => (await client.manage('GET', path)).body.data;
  const perExperiment = (path: (id: string) => string) =>
    Promise.all(experimentIds.map((id) => get(path(id))));
  const results = await perExperiment((id) => `/experiments/${id}/results`);
  return {
    results: results.map(({ treatments, totals }) => ({ treatments, totals })),
    counts: results.map(({ totals }) => totals),
    experiments: await perExperiment((id) => `/experiments/${id}`),
    events: await perExperiment((id) => `/events/${id}?limit=1000`),
    funnel: await get(`/funnels/${funnelId}`),
    members: await get('/members'),
    apiKeys: (await get('/api-keys')).map(({ id, scopes }: { id: string; scopes: string[] }) => ({
      id,
      scopes,
    })),
    audit: await get('/audit-log?limit=1000'),
  };
}

async function countAll(client: Client, experimentIds: readonly string[]) {
  let trials = 0;
  let pending = 0;
  for (const id of experimentIds) {
    const { totals } = (await client.manage('GET', `/experiments/${id}/results`)).body.data;
    trials += totals.trials;
    pending += totals.pending;
  }
  return { trials, pending };
}
