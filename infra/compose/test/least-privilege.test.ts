/**
 * The services as compose and Kubernetes run them, each with its own users of Postgres, NATS and Redis and with the stores'
 * settings as they are shipped: everything that they must do they may do, with the stores there and with Postgres away.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { hasPostgresServer, type PostgresServer, startPostgres } from '@bandit/test-stores';
import { connect } from 'nats';
import t, { type Test } from 'tap';
import { hasProgram } from '../../lint/start-server.ts';
import { natsPassword, startShippedNats } from '../../nats/test/start-shipped-nats.ts';
import { makeShippedRedis, redisPassword } from '../../redis/test/start-shipped-redis.ts';

t.setTimeout(300_000);

const root = fileURLToPath(new URL('../../../', import.meta.url));
const logins = ['migrator', 'assignment', 'ingest', 'learning', 'management', 'erasing'];
const jwtSecret = 'a secret for the sessions of this test and long enough';
const platformToken = 'the token of the operator';
const waitMsMax = 120_000;
/** What a store says to somebody without the right. */
const refusal = /permission denied|permissions violation|NOPERM|NOAUTH|not let us|refuses/i;

interface Service {
  readonly url: string;
  readonly output: () => string;
  stop(): Promise<number | null>;
}

async function testServices(t: Test): Promise<void> {
  const postgres = await startPostgres();
  t.teardown(() => postgres.stop());
  const natsPort = await startShippedNats(t);
  const redis = await makeShippedRedis(t)();
  t.teardown(redis.stop);
  const nats = (user: string) => `nats://${user}:${natsPassword(user)}@127.0.0.1:${natsPort}`;
  const redisUrl = `redis://bandit:${redisPassword}@127.0.0.1:${redis.port}`;
  migrate(postgres);
  const start = (service: string, login: string, env: Record<string, string>) =>
    startService(t, service, { DATABASE_URL: urlOf(postgres, login), ...env });
  const [assignment, ingest, learner, management] = await Promise.all([
    start('assignment', 'assignment', { NATS_URL: nats('assignment'), REDIS_URL: redisUrl }),
    start('ingest', 'ingest', { NATS_URL: nats('ingest'), INGEST_PARTS: 'accept' }),
    start('ingest', 'learning', { NATS_URL: nats('learner'), INGEST_PARTS: 'learner' }),
    start('management', 'management', {
      ...{
        NATS_URL: nats('management'),
        PLATFORM_TOKEN: platformToken,
        JWT_SECRET: jwtSecret,
        RETENTION_DAYS: '400',
      },
    }),
  ]);
  const services = { assignment, ingest, learner, management };
  for (const { url } of Object.values(services))
    await until(async () => (await ask(url, '/readyz')).status === 200, url);
  const scene = await testDay(t, services);
  await testStream(t, nats('reader'), scene.companyId);
  await testOutage(t, services, scene, postgres);
  for (const [name, { output }] of Object.entries(services))
    t.notMatch(output(), refusal, `${name} was refused nothing`);
  for (const [name, { stop }] of Object.entries(services)) t.equal(await stop(), 0, `${name} ends in order`);
}

interface Scene {
  readonly companyId: string;
  readonly key: Record<string, string>;
  readonly session: Record<string, string>;
  readonly experimentId: string;
}

/** A company, an experiment, an assignment, its reward, what was learned from it, and a rebuild. */
async function testDay(t: Test, { assignment, ingest, management }: Record<string, Service>): Promise<Scene> {
  const company = await ask(
    management!.url,
    '/companies',
    { authorization: `Bearer ${platformToken}` },
    {
      name: 'Acme',
      adminEmail: 'admin@example.com',
    },
  );
  t.equal(company.status, 201, 'a company is made');
  const key = { 'x-api-key': company.data.apiKey };
  const session = { authorization: `Bearer ${signSession('admin@example.com')}` };
  const experiment = await ask(management!.url, '/experiments', session, {
    name: 'Headline',
    algorithm: 'THOMPSON_SAMPLING',
    treatments: [
      { name: 'A', config: { content: 'a' } },
      { name: 'B', config: { content: 'b' } },
    ],
  });
  t.equal(experiment.status, 201, 'an experiment is made');
  const experimentId = experiment.data.id;
  await ask(management!.url, `/experiments/${experimentId}`, session, { status: 'active' }, 'PUT');
  let assigned = await ask(assignment!.url, '/assignments', key, { experimentId, userId: 'u1' });
  await until(async () => {
    assigned = await ask(assignment!.url, '/assignments', key, { experimentId, userId: 'u1' });
    return assigned.status < 300;
  }, 'a user is assigned');
  t.equal(assigned.headers.get('x-recorded'), null, 'on record');
  const event = { assignmentId: assigned.data.assignmentId, eventType: 'CONVERSION' };
  t.equal((await ask(ingest!.url, '/events', key, event)).status, 201, 'a conversion is taken');
  t.equal((await ask(ingest!.url, '/events', key, event)).status, 409, 'once');
  await until(async () => {
    const results = await ask(management!.url, `/experiments/${experimentId}/results`, session);
    return JSON.stringify(results.data).includes('"conversions":1');
  }, 'the conversion is learned');
  const refreshed = await ask(
    management!.url,
    `/experiments/${experimentId}/refresh`,
    session,
    undefined,
    'POST',
  );
  t.equal(refreshed.status, 200, 'the learner rebuilds when management asks');
  const treatmentId = experiment.data.treatments[0].id;
  const own = { experimentId, treatmentId, userId: 'u2', eventType: 'CONVERSION' };
  t.equal((await ask(ingest!.url, '/events', key, own)).status, 201, 'a client assigns by itself');
  for (const userId of ['u1', 'u2', 'nobody']) {
    const erased = await ask(management!.url, `/subjects/${userId}`, session, undefined, 'DELETE');
    t.equal(erased.status, 200, `${userId} is erased`);
    t.equal(erased.data.erased.assignments, userId === 'nobody' ? 0 : 1);
  }
  t.equal((await ask(ingest!.url, '/events', key, event)).status, 404, 'nothing of before comes back');
  const { scopes } = (await ask(management!.url, '/api-keys', session)).data[0];
  t.ok(scopes.length > 0, 'keys are listed');
  return { companyId: company.data.id, key, session, experimentId };
}

async function testStream(t: Test, url: string, companyId: string): Promise<void> {
  const { username: user, password: pass, host: servers } = new URL(url);
  const reader = await connect({ servers, user, pass });
  t.teardown(() => reader.close());
  const manager = await reader.jetstreamManager();
  await until(async () => {
    const { state } = await manager.streams.info('EVENTS', { subjects_filter: '>' });
    return (state.subjects?.[`events.${companyId}`] ?? 0) >= 1;
  }, 'the conversion is on EVENTS');
}

/** Postgres dies: Redis arbitrates, RECORDS keeps, and all of it is brought in when Postgres is back. */
async function testOutage(
  t: Test,
  { assignment, management }: Record<string, Service>,
  { key, session, experimentId }: Scene,
  postgres: PostgresServer,
): Promise<void> {
  await postgres.kill('SIGKILL');
  const users = Array.from({ length: 20 }, (_, i) => `during-${i}`);
  let kept = 0;
  for (const userId of users) {
    const answer = await ask(assignment!.url, '/assignments', key, { experimentId, userId });
    t.ok(answer.status < 300, `${userId} is assigned without the database`);
    if (answer.headers.get('x-recorded') === null) kept += 1;
  }
  t.ok(kept > 0, `RECORDS keeps what the database cannot: ${kept} of ${users.length}`);
  const metrics = await (await fetch(`${assignment!.url}/metrics`)).text();
  t.match(metrics, /bandit_assignment_claims_total\{outcome="\w+"\} [1-9]/, 'Redis arbitrates');
  await postgres.restart();
  await until(async () => {
    const results = await ask(management!.url, `/experiments/${experimentId}/results`, session);
    const trials = [...JSON.stringify(results.data ?? '').matchAll(/"trials":(\d+)/g)].map(([, n]) =>
      Number(n),
    );
    // And the two of the day, which count although their users were erased.
    const nTrials = users.length + 2;
    return (trials.some((n) => n > 0) && trials.includes(nTrials)) || sumOfPairs(trials) === nTrials;
  }, 'all of them are on record and learned');
}

/** Of the two treatments, where the total is not among the figures. */
function sumOfPairs(trials: readonly number[]): number {
  return trials.slice(0, 2).reduce((sum, n) => sum + n, 0);
}

function urlOf({ port }: PostgresServer, login: string): string {
  return `postgres://bandit_${login}@127.0.0.1:${port}/postgres`;
}

const environment = {
  PATH: process.env.PATH,
  NODE_ENV: 'production',
  HOST: '127.0.0.1',
  PORT: '0',
  ASSIGNMENT_SECRET: 'a secret for the assignment ids of this test and long enough',
};

function migrate(postgres: PostgresServer): void {
  const passwords = logins.map((login) => [`BANDIT_${login.toUpperCase()}_PASSWORD`, `p${login}`]);
  const roles = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', 'infra/postgres/roles.sql'];
  const options = { cwd: root, stdio: 'pipe' } as const;
  const env = { ...process.env, ...Object.fromEntries(passwords) };
  execFileSync('psql', [postgres.connectionString, ...roles], { ...options, env });
  execFileSync(process.execPath, ['--no-warnings', 'infra/operations/migrate.ts'], {
    ...options,
    env: { ...environment, DATABASE_URL: urlOf(postgres, 'migrator') },
  });
}

async function startService(t: Test, service: string, env: Record<string, string>): Promise<Service> {
  const child = spawn(process.execPath, ['--no-warnings', `services/${service}/src/main.ts`], {
    cwd: root,
    env: { ...environment, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const output = collect(child);
  const url = () => /"url":"(http[^"]+)"/.exec(output())?.[1];
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`${service} did not start: ${output()}`);
    return url() !== undefined;
  }, `${service} does not listen`);
  const stop = () => {
    child.kill('SIGTERM');
    return ended;
  };
  return { url: url()!, output, stop };
}

function collect(child: ChildProcess): () => string {
  let output = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (text) => (output += text));
  return () => output;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: each route answers its own shape.
  readonly data: any;
}

async function ask(
  url: string,
  path: string,
  headers: Record<string, string> = {},
  body?: object,
  method = body === undefined ? 'GET' : 'POST',
): Promise<Answer> {
  const answer = await fetch(url + path, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(60_000),
  });
  const { data } = (await answer.json()) as { data?: unknown };
  return { status: answer.status, headers: answer.headers, data };
}

function signSession(email: string): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1_000);
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ email, iat: now, exp: now + 3_600 })}`;
  return `${text}.${createHmac('sha256', jwtSecret).update(text).digest('base64url')}`;
}

async function until(isTrue: () => Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = Date.now() + waitMsMax;
  while (!(await isTrue())) {
    if (Date.now() > deadlineMs) throw new Error(`waited ${waitMsMax} ms in vain: ${what}`);
    await delay(50);
  }
}

const missing = [
  ...(hasPostgresServer() ? [] : ['Postgres']),
  ...['nats-server', 'redis-server', 'psql'].filter((name) => !hasProgram(name)),
];
if (missing.length === 0) await t.test('services with users of their own', testServices);
else if (process.env.CI_REQUIRE_STORES === '1')
  t.fail(`CI_REQUIRE_STORES=1, but not installed: ${missing.join(', ')}`);
else {
  console.warn(`NOT TESTED: the services with users of their own; not installed: ${missing.join(', ')}`);
  t.test('services', { skip: `not installed: ${missing.join(', ')}` }, async () => undefined);
}
