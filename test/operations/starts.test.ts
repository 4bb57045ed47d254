/**
 * Each service started alone: what it refuses to start without, and the order of a production install on an empty
 * database, with NATS and Redis away all the while.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { findFreePort, startPostgres } from '@bandit/test-stores';
import t, { type Test } from 'tap';
import { createClient, until } from '../platform/client.ts';
import { productionSecrets, signSession } from '../platform/production.ts';
import {
  readStatus,
  type ServiceProcess,
  startProcess,
  waitUntilReady,
} from '../processes/start-processes.ts';
import { requirePostgresServer } from './own-stores.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** A busy machine is not a failure. */
const withinMs = 90_000;

t.setTimeout(400_000);

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs to its end with this environment alone. */
function run(file: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
  return new Promise((resolve) => {
    const given = { PATH: process.env.PATH, ...env };
    const call = ['--no-warnings', root + file, ...args];
    execFile(process.execPath, call, { env: given, timeout: withinMs }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
  });
}

t.test('a service names in one message what it cannot start without', async (t) => {
  const needed = {
    assignment: ['DATABASE_URL', 'NATS_URL', 'REDIS_URL'],
    ingest: ['DATABASE_URL', 'NATS_URL'],
    management: ['DATABASE_URL', 'NATS_URL'],
  };
  for (const [service, names] of Object.entries(needed)) {
    const { code, stderr } = await run(`services/${service}/src/main.ts`, [], { NODE_ENV: 'production' });
    t.equal(code, 1, service);
    for (const name of [...names, 'ASSIGNMENT_SECRET']) t.match(stderr, new RegExp(`- ${name} must be set`));
    t.notMatch(stderr, /\n\s+at /, 'a sentence, no stack');
  }
});

t.test('a service names every wrong value, and shows no password', async (t) => {
  const { code, stderr } = await run('services/ingest/src/main.ts', [], {
    ...productionSecrets,
    DATABASE_URL: 'mysql://user:c4n4ry@db/x',
    NATS_URL: 'http://user:c4n4ry@nats',
    INGEST_PARTS: 'accept,forget',
    NATS_REPLICAS: '9',
  });
  t.equal(code, 1);
  for (const name of ['DATABASE_URL', 'NATS_URL', 'INGEST_PARTS', 'NATS_REPLICAS'])
    t.match(stderr, new RegExp(`- ${name} must`));
  t.notMatch(stderr, 'c4n4ry');
});

t.test('a process whose owner was killed ends, though nobody reads its log any more', async (t) => {
  // It waits for its database, says so on every try at this level, and has lines left when it ends.
  const env = {
    ...productionSecrets,
    PATH: process.env.PATH,
    PORT: '0',
    LOG_LEVEL: 'trace',
    INGEST_PARTS: 'learner',
    DATABASE_URL: `postgres://postgres@127.0.0.1:${await findFreePort()}/none`,
    NATS_URL: `nats://127.0.0.1:${await findFreePort()}`,
  };
  const owner = `
    const child = require('node:child_process').spawn(process.execPath, ['--no-warnings', process.argv[1]], {
      env: ${JSON.stringify(env)}, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    child.stdout.on('data', (text) => String(text).includes('waiting') && console.log(child.pid));`;
  const spawned = spawn(process.execPath, ['-e', owner, `${root}services/ingest/src/main.ts`]);
  const [line] = await once(spawned.stdout, 'data');
  const pid = Number(line);
  t.teardown(() => isAlive(pid) && process.kill(pid, 'SIGKILL'));
  t.ok(isAlive(pid));
  spawned.kill('SIGKILL');
  const isLeft = await until(
    async () => isAlive(pid),
    (isRunning) => !isRunning,
    withinMs,
  );
  t.notOk(isLeft, 'it is gone');
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

t.test('a production install, with NATS and Redis away', async (t) => {
  if (!requirePostgresServer(t)) return;
  const postgres = await startPostgres();
  t.teardown(() => postgres.stop());
  const env = {
    ...productionSecrets,
    NODE_ENV: 'production',
    DATABASE_URL: postgres.connectionString,
    NATS_URL: `nats://127.0.0.1:${await findFreePort()}`,
    REDIS_URL: `redis://127.0.0.1:${await findFreePort()}`,
  };
  const kinds = ['assignment', 'ingest', 'learner', 'management'] as const;
  const processes = await Promise.all(kinds.map((kind) => startProcess(t, kind, env)));
  await t.test('on an old schema every process waits, and says for what', async (t) => {
    for (const started of processes) await checkWaiting(t, started);
  });
  await t.test('migrate', (t) => testMigrate(t, env));
  await t.test('every process goes on by itself', async () => {
    for (const started of processes) await waitUntilReady(started);
  });
  const apiKey = await testBootstrap(t, env);
  await t.test('the processes work together', (t) => testTogether(t, processes, apiKey));
  await t.test('rotate-mac-key', (t) => testRotation(t, env));
  await t.test('SIGTERM ends each with code 0', async (t) => {
    for (const { kind, stop } of processes) t.equal(await stop(), 0, kind);
  });
});

async function checkWaiting(t: Test, { kind, url, output }: ServiceProcess): Promise<void> {
  const text = await until(
    async () => output(),
    (said) => said.includes('lacks 0001-tenants'),
    withinMs,
  );
  t.match(text, /lacks 0001-tenants and \d+ more: run/, kind);
  t.equal(await readStatus(url, '/livez'), 200);
  t.equal(await readStatus(url, '/readyz'), 503);
  t.equal(await readStatus(url, '/experiments'), 503, 'before any answer that could be wrong');
}

async function testMigrate(t: Test, env: Record<string, string>): Promise<void> {
  const command = 'infra/operations/migrate.ts';
  const before = await run(command, ['--status'], env);
  t.equal(before.code, 3);
  t.match(before.stdout, /^0001-tenants\n/);
  const both = await Promise.all([run(command, [], env), run(command, [], env)]);
  t.strictSame(
    both.map(({ code }) => code),
    [0, 0],
    'at the same time one waits for the other',
  );
  t.equal(both.map(({ stdout }) => stdout).join(''), before.stdout, 'each migration ran once');
  t.match(await run(command, [], env), { code: 0, stdout: '', stderr: /up to date already/ });
  t.equal((await run(command, ['--status'], env)).code, 0);
  t.equal((await run(command, ['--force'], env)).code, 2, 'an option that is not there');
  t.match(await run(command, [], {}), { code: 2, stderr: /DATABASE_URL must be set/ });
}

async function testBootstrap(t: Test, env: Record<string, string>): Promise<string> {
  const command = 'infra/operations/bootstrap.ts';
  let apiKey = '';
  await t.test('bootstrap', async (t) => {
    t.equal((await run(command, [], env)).code, 2, 'without an e-mail');
    const made = await run(command, ['--email', 'Ada@example.com'], env);
    t.equal(made.code, 0);
    apiKey = made.stdout.trim();
    t.match(apiKey, /^\S{20,}$/, 'the key alone stands on stdout');
    const again = await run(command, ['--email', 'other@example.com'], env);
    t.match(again, { code: 3, stdout: '', stderr: /there is a company already/ });
  });
  return apiKey;
}

async function testTogether(t: Test, processes: readonly ServiceProcess[], apiKey: string): Promise<void> {
  const urlOf = (kind: string) => processes.find((one) => one.kind === kind)?.url as string;
  const speak = (kind: string) => createClient(urlOf(kind), apiKey, signSession('ada@example.com'));
  const management = speak('management');
  const experimentId = await management.activate({
    name: 'Alone',
    algorithm: 'UCB1',
    treatments: [
      { name: 'A', config: { content: 'a' } },
      { name: 'B', config: { content: 'b' } },
    ],
  });
  // Without NATS a change is heard of by the next poll.
  const assigned = await until(
    () => speak('assignment').track('POST', '/assignments', { experimentId, userId: 'user_1' }),
    ({ status }) => status === 200,
    withinMs,
  );
  t.equal(assigned.status, 200);
  t.notOk(assigned.headers.has('x-recorded'), 'Postgres has it');
  const event = { assignmentId: assigned.body.data.assignmentId, eventType: 'CONVERSION' };
  t.equal((await speak('ingest').track('POST', '/events', event)).status, 201);
  t.equal((await speak('ingest').track('POST', '/events', event)).status, 409);
  const { body } = await until(
    () => management.manage('GET', `/experiments/${experimentId}/results`),
    (answer) => answer.body.data.totals.conversions === 1,
    withinMs,
  );
  t.match(body.data.totals, { trials: 1, conversions: 1 }, 'it is learned');
  t.equal((await management.manage('PUT', `/experiments/${experimentId}`, { status: 'PAUSED' })).status, 200);
  const paused = await until(
    () => speak('assignment').track('POST', '/assignments', { experimentId, userId: 'user_2' }),
    ({ status }) => status === 400,
    withinMs,
  );
  t.equal(paused.body.code, 'EXPERIMENT_NOT_ACTIVE');
  t.equal(await readStatus(urlOf('learner'), '/events'), 404, 'a learner takes no requests');
}

async function testRotation(t: Test, env: Record<string, string>): Promise<void> {
  const command = 'infra/operations/rotate-mac-key.ts';
  const other = { ...env, ASSIGNMENT_SECRET: 'another secret than the one that wraps the keys' };
  t.match(await run(command, [], other), { code: 1, stderr: /ASSIGNMENT_SECRET is not the one/ });
  const made = await run(command, [], env);
  t.equal(made.code, 0);
  t.match(made.stdout, /^\S{8}\n$/, 'the id of the new key');
}
