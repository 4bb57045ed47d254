/** Every route of the running platform, with credentials in every state that they can be in. */
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@bandit/config';
import { pino } from 'pino';
import t from 'tap';
import { Client } from 'undici';
import { startPlatform } from '../infra/local/start.ts';
import { demands, expectedVerdict, type Verdict } from './credentials/expected-answers.ts';
import { type Made, makeCredentials, vectors } from './credentials/make-credentials.ts';

t.setTimeout(120_000);
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const platformToken = 'a platform token of the credentials test';
const jwtSecret = 'a JWT secret of the credentials test';

const dataDir = await mkdtemp(join(tmpdir(), 'bandit-credentials-'));
t.teardown(() => rm(dataDir, { recursive: true, force: true }));
const platform = await startPlatform({
  config: loadConfig({
    DATA_DIR: dataDir,
    PORT: '0',
    LOG_LEVEL: 'error',
    PLATFORM_TOKEN: platformToken,
    NEXTAUTH_SECRET: vectors.secret,
    JWT_SECRET: jwtSecret,
    BOOTSTRAP_ADMIN_EMAIL: vectors.email,
  }),
  version,
  log: pino({ level: 'error', base: null }, pino.destination(2)),
  monotonicMs: () => performance.now(),
  machineMs: () => Date.now(),
  rng: Math.random,
  onLost: (error) => t.fail(error.message),
});
t.teardown(() => platform.close());
const client = new Client(platform.url);
t.teardown(() => client.destroy());

async function ask(method: string, path: string, headers: Readonly<Record<string, string>>, body?: object) {
  const response = await client.request({
    method: method as 'GET',
    path,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const text = await response.body.text();
  return { status: response.statusCode, body: text.startsWith('{') ? JSON.parse(text) : undefined };
}

const asAdmin = { 'x-user-email': vectors.email };
const stranger = { experimentId: 'exp_AAAAAAAAAAAAAAAAAAAAAA', userId: 'user_1' };

/** Asks until the key is refused: revocation and expiry take a moment, and a bounded one. */
async function untilRefused(key: string): Promise<string> {
  for (let tries = 0; tries < 2_000; tries += 1) {
    if ((await ask('POST', '/assignments', { 'x-api-key': key }, stranger)).status === 401) return key;
  }
  throw new Error('the key is still taken');
}

async function makeState(): Promise<Made> {
  const makeKey = async (body: object) =>
    (await ask('POST', '/api-keys', asAdmin, { name: 'a key', ...body })).body.data;
  const revoked = await makeKey({});
  await ask('DELETE', `/api-keys/${revoked.id}`, asAdmin);
  const expired = await makeKey({ expiresAt: new Date(Date.now() + 1_000).toISOString() });
  const memberEmail = 'member@example.com';
  await ask('POST', '/members', asAdmin, { email: memberEmail, role: 'member' });
  const other = await ask(
    'POST',
    '/companies',
    { authorization: `Bearer ${platformToken}` },
    {
      name: 'Another company',
      adminEmail: 'other@example.com',
    },
  );
  return {
    key: platform.firstRun!.apiKey,
    assignKey: (await makeKey({ scopes: ['assign'] })).key,
    eventsKey: (await makeKey({ scopes: ['events'] })).key,
    revokedKey: await untilRefused(revoked.key),
    expiredKey: await untilRefused(expired.key),
    otherCompanysKey: other.body.data.apiKey,
    memberEmail,
    platformToken,
    jwtSecret,
  };
}

interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly hasBody: boolean;
}

/** Ids that name nothing and empty bodies: whoever passes the guard is told so, and nothing changes. */
async function listOperations(): Promise<Operation[]> {
  const { paths } = (await ask('GET', '/openapi.json', {})).body;
  const documented = Object.entries<Record<string, { operationId: string; requestBody?: object }>>(
    paths,
  ).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId, requestBody }]) => ({
      id: operationId,
      method: method.toUpperCase(),
      path: path.replaceAll(/\{\w+\}/g, 'unknown'),
      hasBody: requestBody !== undefined,
    })),
  );
  const head = {
    id: 'headAssignment',
    method: 'HEAD',
    path: '/assignments/unknown?userId=u',
    hasBody: false,
  };
  return [...documented, head];
}

const verdictOf = (status: number): Verdict => (status === 401 || status === 403 ? status : 'pass');
const codes = { 401: 'UNAUTHORIZED', 403: 'FORBIDDEN' } as const;

t.test('every route in every state of the credentials', async (t) => {
  const credentials = makeCredentials(await makeState());
  const operations = await listOperations();
  t.ok(credentials.length >= 19 && operations.length >= 30, `${operations.length} x ${credentials.length}`);
  for (const operation of operations) {
    const demand = demands[operation.id];
    if (demand === undefined) {
      t.fail(`nobody decided which credentials ${operation.id} takes`);
      continue;
    }
    const wrong: string[] = [];
    for (const { name, headers, bearer } of credentials) {
      const answer = await ask(operation.method, operation.path, headers, operation.hasBody ? {} : undefined);
      const expected = expectedVerdict(demand, bearer);
      const isCoded =
        expected === 'pass' || answer.body === undefined || answer.body.code === codes[expected];
      if (verdictOf(answer.status) !== expected || !isCoded || answer.status >= 500) {
        wrong.push(`${name}: ${answer.status} ${answer.body?.code}, not ${expected}`);
      }
    }
    t.strictSame(wrong, [], `${operation.id} takes ${demand}`);
  }
});

t.test('the API document says which credentials each route takes', async (t) => {
  const schemes = {
    assign: 'apiKey bearer',
    events: 'apiKey bearer',
    session: 'session bearer',
    admin: 'session bearer',
  };
  const expected: Record<string, string> = {
    ...schemes,
    'session or events': 'apiKey bearer session',
    platform: 'bearer',
  };
  const { paths } = (await ask('GET', '/openapi.json', {})).body;
  for (const methods of Object.values<Record<string, { operationId: string; security?: object[] }>>(paths)) {
    for (const { operationId, security = [] } of Object.values(methods)) {
      const names = security.flatMap((requirement) => Object.keys(requirement)).join(' ');
      t.equal(names, expected[demands[operationId] ?? ''], operationId);
    }
  }
});

t.test('docs/openapi.json is what the platform serves (UPDATE_DOCS=1 writes it)', async (t) => {
  const path = new URL('../docs/openapi.json', import.meta.url);
  const served = (await ask('GET', '/openapi.json', {})).body;
  if (process.env.UPDATE_DOCS === '1') await writeFile(path, `${JSON.stringify(served, null, 2)}\n`);
  const committed = JSON.parse(await readFile(path, 'utf8'));
  for (const part of ['paths', 'components']) {
    for (const name of new Set([...Object.keys(served[part]), ...Object.keys(committed[part])])) {
      t.strictSame(committed[part][name], served[part][name], `${part}: ${name}`);
    }
  }
});

t.test("another company's key reaches nothing of this one", async (t) => {
  const created = await ask('POST', '/experiments', asAdmin, {
    name: 'Mine',
    algorithm: 'EPSILON_GREEDY',
    treatments: [{ name: 'A', config: { content: 'a' } }],
  });
  const { id } = created.body.data;
  const other = await ask(
    'POST',
    '/companies',
    { authorization: `Bearer ${platformToken}` },
    {
      name: 'A third company',
      adminEmail: 'third@example.com',
    },
  );
  const key = { 'x-api-key': other.body.data.apiKey };
  const foreign = await ask('POST', '/assignments', key, { ...stranger, experimentId: id });
  const unknown = await ask('POST', '/assignments', key, stranger);
  t.equal(foreign.status, 404);
  t.equal(foreign.body.error.replace(id, stranger.experimentId), unknown.body.error);
});
