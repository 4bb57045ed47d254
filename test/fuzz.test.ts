/**
 * Generated and mutated requests over every route of the running platform: nothing may answer 5xx but what was decided,
 * every answer keeps the envelope, and afterwards the platform still learns.
 *
 * FUZZ_RUNS: how many requests (default 3,000, cut short after 30 s); FUZZ_SEED: which ones.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@bandit/config';
import fc from 'fast-check';
import { pino } from 'pino';
import t from 'tap';
import { Client } from 'undici';
import { startPlatform } from '../infra/local/start.ts';
import { judgeAnswer } from './fuzz/judge-answer.ts';
import { KnownIds } from './fuzz/known-ids.ts';
import { listOperations } from './fuzz/list-operations.ts';
import { type FuzzRequest, makeDrafts, makeRequest } from './fuzz/make-request.ts';

const runs = Number(process.env.FUZZ_RUNS ?? 3_000);
const seed = Number(process.env.FUZZ_SEED ?? 20_260_115);
const timeLimit = process.env.FUZZ_RUNS === undefined ? { interruptAfterTimeLimit: 30_000 } : {};
// A loaded machine takes its time; a request that hangs is cut by the client long before.
t.setTimeout(Math.max(120_000, runs * 50));
const platformToken = 'a platform token of the fuzz test';

const dataDir = await mkdtemp(join(tmpdir(), 'bandit-fuzz-'));
t.teardown(() => rm(dataDir, { recursive: true, force: true }));
const platform = await startPlatform({
  config: loadConfig({ DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'error', PLATFORM_TOKEN: platformToken }),
  version: 'fuzz',
  log: pino({ level: 'error', base: null }, pino.destination(2)),
  monotonicMs: () => performance.now(),
  machineMs: () => Date.now(),
  rng: Math.random,
  onLost: (error) => t.fail(error.message),
});
t.teardown(() => platform.close());
const client = new Client(platform.url, { pipelining: 1, headersTimeout: 20_000, bodyTimeout: 20_000 });
t.teardown(() => client.destroy());

const { apiKey, adminEmail } = platform.firstRun!;
const credentials = { apiKey, email: adminEmail, platformToken };
const asMember = { 'x-user-email': adminEmail, 'content-type': 'application/json' };
const asKey = { 'x-api-key': apiKey, 'content-type': 'application/json' };

async function send({ method, path, headers, body }: FuzzRequest) {
  const response = await client.request({ method: method as 'GET', path, headers, body: body ?? null });
  return {
    method,
    path,
    status: response.statusCode,
    headers: response.headers,
    text: await response.body.text(),
  };
}

async function call(method: string, path: string, headers: Record<string, string>, body?: object) {
  const answer = await send({ method, path, headers, body: body && Buffer.from(JSON.stringify(body)) });
  return JSON.parse(answer.text);
}

/** The change of an experiment reaches the assignment service a moment later: asked again until it has. */
async function untilSuccess<T extends { success: boolean }>(ask: () => Promise<T>): Promise<T> {
  let answer = await ask();
  for (let tries = 1; tries < 500 && !answer.success; tries += 1) answer = await ask();
  return answer;
}

/** An active experiment of two treatments, and an assignment of it. */
async function makeExperiment(ids: KnownIds) {
  const treatments = ['A', 'B'].map((name) => ({ name, config: { content: name } }));
  const experiment = await call('POST', '/experiments', asMember, {
    name: 'Fuzzed',
    algorithm: 'EPSILON_GREEDY',
    treatments,
  });
  const { id } = experiment.data;
  await call('PUT', `/experiments/${id}`, asMember, { status: 'ACTIVE' });
  const assignment = await untilSuccess(() =>
    call('POST', '/assignments', asKey, { experimentId: id, userId: 'user_1' }),
  );
  ids.learn([experiment, assignment]);
  return { id, assignmentId: assignment.data.assignmentId };
}

async function makeCorpus(): Promise<KnownIds> {
  const ids = new KnownIds();
  const [keys, members] = [await call('GET', '/api-keys', asMember), await call('GET', '/members', asMember)];
  for (const { id } of [...keys.data, ...members.data]) ids.spare(id);
  for (let i = 0; i < 4; i += 1) {
    const { id } = await makeExperiment(ids);
    ids.learn(await call('POST', '/funnels', asMember, { name: `Funnel ${i}`, experimentIds: [id] }));
  }
  return ids;
}

t.test('no request gets a 5xx that was not decided, and every answer keeps the envelope', async (t) => {
  const operations = listOperations(await call('GET', '/openapi.json', {}));
  t.ok(operations.length >= 30, `${operations.length} operations`);
  const ids = await makeCorpus();
  const counts = new Map<string, number>();
  const reached = new Set<string>();
  const property = fc.asyncProperty(makeDrafts(operations.length), async (draft) => {
    const operation = operations[draft.operation]!;
    const request = makeRequest(operation, draft, ids, credentials);
    const answer = await send(request);
    counts.set(String(answer.status), (counts.get(String(answer.status)) ?? 0) + 1);
    if (answer.status < 300) {
      reached.add(`${operation.method} ${operation.path}`);
      if (answer.text.startsWith('{')) ids.learn(JSON.parse(answer.text));
    }
    const faults = judgeAnswer(answer);
    if (faults.length === 0) return;
    const sent = { ...request, body: request.body?.toString('latin1').slice(0, 2_000) };
    throw new Error(`${faults.join('; ')}\nsent ${JSON.stringify(sent)}\ngot ${answer.text.slice(0, 2_000)}`);
  });
  t.comment(`seed ${seed}, at most ${runs} requests`);
  const result = await fc.check(property, { seed, numRuns: runs, ...timeLimit });
  t.notOk(result.failed && result.counterexample, fc.defaultReportMessage(result) ?? 'no counterexample');
  t.comment(`${result.numRuns} requests: ${JSON.stringify(Object.fromEntries([...counts].sort()))}`);
  const missed = operations.filter(({ method, path }) => !reached.has(`${method} ${path}`));
  t.comment(`never answered 2xx: ${missed.map(({ method, path }) => `${method} ${path}`).join(', ')}`);
  t.ok(result.numRuns >= Math.min(runs, 300), 'enough requests were sent');
  t.ok((counts.get('201') ?? 0) > 0 && (counts.get('400') ?? 0) > 0, 'some got through, some were refused');
});

t.test('afterwards the platform is ready and still learns', async (t) => {
  t.equal((await send({ method: 'GET', path: '/readyz', headers: {}, body: undefined })).status, 200);
  const { id, assignmentId } = await makeExperiment(new KnownIds());
  const event = await call('POST', '/events', asKey, { assignmentId, eventType: 'CONVERSION' });
  t.equal(event.success, true);
  let conversions = 0;
  for (let tries = 0; tries < 500 && conversions === 0; tries += 1) {
    const results = await call('GET', `/experiments/${id}/results`, asMember);
    conversions = results.data.treatments.reduce(
      (sum: number, one: { conversions: number }) => sum + one.conversions,
      0,
    );
  }
  t.equal(conversions, 1, 'the conversion was learned');
});
