import { ApiError, type ErrorCode, limits } from '@bandit/contracts';
import { createTestDatabase } from '@bandit/db/testing';
import { createHttpServer } from '@bandit/http';
import { Registry } from 'prom-client';
import t from 'tap';
import { createAcceptRuntime } from '../../../src/accept/accept-runtime.ts';
import type { TrackDeps } from '../../../src/accept/routes/track-event.ts';
import { buildApp, createAcceptMetrics } from '../../../src/index.ts';
import { countingBytes, createWorld, testIds } from '../../fixtures/world.ts';

const atMs = Date.UTC(2026, 0, 15, 10);
const nowMs = () => atMs + 1_000;
const { db } = await createTestDatabase(t);
const world = await createWorld(db, 'r');
await world.addExperiment({ id: 'r_e' });
const registry = new Registry();
const runtime = createAcceptRuntime({
  db,
  bus: { publish: () => undefined },
  ids: testIds,
  findExperiment: world.findExperiment,
  nowMs,
  randomBytes: countingBytes('routes'),
  retentionMs: 30 * 86_400_000,
  metrics: createAcceptMetrics(registry),
});

async function startApp(use: TrackDeps['runtime'] = runtime) {
  let nRequests = 0;
  const app = await createHttpServer({
    service: 'ingest',
    version: '0.0.0',
    logger: false,
    nowMs,
    registry: new Registry(),
    makeRequestId: () => `request-${++nRequests}`,
  });
  const access = {
    eventsKey: async ({ headers }: { headers: Record<string, unknown> }) => {
      if (headers['x-api-key'] === 'none') throw new ApiError('UNAUTHORIZED', 'an API key is needed');
      if (headers['x-api-key'] === 'assign')
        throw new ApiError('FORBIDDEN', 'this key lacks the scope events');
    },
    companyOf: () => 'r',
  };
  await app.register(buildApp({ runtime: use, access: access as never, nowMs }));
  t.teardown(() => app.close());
  return app;
}

const app = await startApp();
const post = async (payload: unknown, url = '/events', key = 'good', server = app) => {
  const response = await server.inject({
    method: 'POST',
    url,
    headers: { 'x-api-key': key, 'content-type': 'application/json' },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  });
  return { status: response.statusCode, headers: response.headers, body: response.json() };
};

let nUsers = 0;
const assign = async (options: { atMs?: number } = {}) => {
  nUsers += 1;
  const made = { experimentId: 'r_e', treatmentId: 'r_e_a', userId: `user_${nUsers}`, atMs, ...options };
  return { ...(await world.assign(made)), userId: made.userId };
};

await t.test('POST /events 201: the event as the reference shows it', async (t) => {
  const { id, userId } = await assign();
  const { status, body } = await post({
    assignmentId: id,
    eventType: 'CONVERSION',
    value: 29.99,
    metadata: { product: 'premium-plan' },
  });
  t.equal(status, 201);
  t.match(body, {
    success: true,
    data: {
      id: /^evt_/,
      experimentId: 'r_e',
      treatmentId: 'r_e_a',
      userId,
      eventType: 'CONVERSION',
      value: 29.99,
      metadata: { product: 'premium-plan', assignmentId: id },
      timestamp: /^\d{4}-.*Z$/,
    },
    timestamp: new Date(nowMs()).toISOString(),
  });
  t.notOk('error' in body);
});

await t.test('POST /events 201 without value or metadata', async (t) => {
  const { id } = await assign();
  const { status, body } = await post({ assignmentId: id, eventType: 'VIEW' });
  t.equal(status, 201);
  t.equal(body.data.value, null);
  t.same(body.data.metadata, { assignmentId: id });
});

await t.test('POST /events 400, and nothing is written', async (t) => {
  const { id } = await assign();
  const on = { assignmentId: id, eventType: 'CLICK' };
  const table: [string, unknown][] = [
    ['no subject', { eventType: 'CLICK' }],
    ['half a triplet', { experimentId: 'r_e', userId: 'u', eventType: 'CLICK' }],
    ['both forms in conflict', { ...on, userId: 'someone else' }],
    ['no type', { assignmentId: id }],
    ['an unknown type', { ...on, eventType: 'PURCHASE' }],
    ['lower case', { ...on, eventType: 'click' }],
    ['text for a number', { ...on, value: '5' }],
    ['null for a number', { ...on, value: null }],
    ['a value past 1e12', { ...on, value: 1.1e12 }],
    ['an unknown field', { ...on, revenue: 5 }],
    ['metadata as text', { ...on, metadata: 'x' }],
    ['metadata as an array', { ...on, metadata: [1] }],
    ['an empty eventId', { ...on, eventId: '' }],
    ['a long eventId', { ...on, eventId: 'x'.repeat(129) }],
    ['a day that does not exist', { ...on, timestamp: '2026-02-30T10:00:00Z' }],
    ['a blank user', { experimentId: 'r_e', treatmentId: 'r_e_a', userId: '  ', eventType: 'CLICK' }],
    ['an array', [on]],
    ['metadata of more than 16 KB', { ...on, metadata: { a: 'x'.repeat(limits.metadataBytesMax) } }],
    ['no JSON', '{'],
    ['an infinite number', `{"assignmentId":"${id}","eventType":"CLICK","value":1e999}`],
    ['a NUL', `{"assignmentId":"${id}","eventType":"CLICK","metadata":{"a":"\\u0000"}}`],
    ['a prototype', `{"assignmentId":"${id}","eventType":"CLICK","metadata":{"__proto__":{"a":1}}}`],
    [
      'a deep body',
      `{"assignmentId":"${id}","eventType":"CLICK","metadata":${'{"a":'.repeat(40)}1${'}'.repeat(40)}}`,
    ],
  ];
  for (const [name, payload] of table) {
    const { status, body } = await post(payload);
    t.equal(status, 400, name);
    t.match(body, { success: false, error: String, code: /VALIDATION_ERROR|MALFORMED_JSON/ }, name);
    t.notOk('data' in body, name);
  }
  const rows = await db.selectFrom('events').select('id').where('event_type', '=', 'CLICK').execute();
  t.same(rows, []);
});

await t.test('POST /events 404 by what is unknown', async (t) => {
  const { id } = await assign();
  const old = await assign({ atMs: nowMs() - 31 * 86_400_000 });
  const triplet = { experimentId: 'r_e', treatmentId: 'r_e_a', userId: 'u', eventType: 'CLICK' };
  const table: [unknown, ErrorCode][] = [
    [{ assignmentId: 'asgn_xyz789', eventType: 'CLICK' }, 'ASSIGNMENT_NOT_FOUND'],
    [{ assignmentId: `${id.slice(0, -1)}0x`, eventType: 'CLICK' }, 'ASSIGNMENT_NOT_FOUND'],
    [{ assignmentId: old.id, eventType: 'CLICK' }, 'ASSIGNMENT_EXPIRED'],
    [{ ...triplet, experimentId: 'exp_none' }, 'EXPERIMENT_NOT_FOUND'],
    [{ ...triplet, treatmentId: 'trt_none' }, 'TREATMENT_NOT_FOUND'],
  ];
  for (const [payload, code] of table) {
    const { status, body } = await post(payload);
    t.same([status, body.success, body.code], [404, false, code]);
  }
});

await t.test('POST /events 409 names the event that exists', async (t) => {
  const { id } = await assign();
  const first = await post({ assignmentId: id, eventType: 'CONVERSION' });
  const second = await post({ assignmentId: id, eventType: 'CONVERSION', value: 3 });
  t.equal(second.status, 409);
  t.match(second.body, {
    success: false,
    code: 'DUPLICATE_EVENT',
    details: { eventId: first.body.data.id },
  });
});

await t.test('POST /events 401 and 403', async (t) => {
  t.match(await post({}, '/events', 'none'), { status: 401, body: { code: 'UNAUTHORIZED' } });
  t.match(await post({}, '/events/batch', 'assign'), { status: 403, body: { code: 'FORBIDDEN' } });
});

await t.test(
  'a failure of ours is 500, a store that is away 503, with nothing of it in the answer',
  async (t) => {
    const broken = await startApp({ accept: async () => [{ error: new Error('select secret from keys') }] });
    const failed = await post({ assignmentId: 'a', eventType: 'CLICK' }, '/events', 'good', broken);
    t.match(failed, { status: 500, body: { success: false, code: 'INTERNAL_ERROR' } });
    t.notMatch(JSON.stringify(failed.body), /secret/);
    const item = { assignmentId: 'a', eventType: 'CLICK' };
    const batch = await post({ events: [item] }, '/events/batch', 'good', broken);
    t.match(batch, { status: 207, body: { data: { errors: [{ status: 500, code: 'INTERNAL_ERROR' }] } } });
    t.notMatch(JSON.stringify(batch.body), /secret/);

    const error = new ApiError('STORE_UNAVAILABLE', 'the event store is away');
    const away = await startApp({ accept: async (_, events) => events.map(() => ({ error })) });
    for (const answer of [
      await post(item, '/events', 'good', away),
      await post({ events: [item, item] }, '/events/batch', 'good', away),
    ]) {
      t.match(answer, { status: 503, body: { success: false, code: 'STORE_UNAVAILABLE' } });
      t.equal(answer.headers['retry-after'], '1');
    }
  },
);

await t.test('POST /events/batch 201 when all were created', async (t) => {
  const { id } = await assign();
  const { status, body } = await post(
    {
      events: [
        { assignmentId: id, eventType: 'CLICK', metadata: { element: 'cta-button' } },
        { assignmentId: id, eventType: 'CONVERSION', value: 49.99 },
      ],
    },
    '/events/batch',
  );
  t.equal(status, 201);
  t.match(body, { success: true, data: { total: 2, success_count: 2, errors: [] } });
  t.same(
    body.data.created.map((event: { eventType: string }) => event.eventType),
    ['CLICK', 'CONVERSION'],
  );
});

await t.test('POST /events/batch 207 with an error for each item that failed', async (t) => {
  const { id } = await assign();
  const events = [
    { assignmentId: id, eventType: 'CONVERSION' },
    { assignmentId: id, eventType: 'CONVERSION' },
    { assignmentId: id, eventType: 'PURCHASE' },
    null,
    { assignmentId: 'asgn_none', eventType: 'CLICK' },
    { eventType: 'CLICK' },
    { assignmentId: id, eventType: 'CLICK' },
  ];
  const { status, body } = await post({ events }, '/events/batch');
  t.equal(status, 207);
  t.equal(body.success, true);
  t.match(body.data, { total: 7, success_count: 2 });
  t.match(body.data.errors, [
    { index: 1, status: 409, code: 'DUPLICATE_EVENT', details: { eventId: body.data.created[0].id } },
    { index: 2, status: 400, code: 'VALIDATION_ERROR', error: /eventType/ },
    { index: 3, status: 400, code: 'VALIDATION_ERROR' },
    { index: 4, status: 404, code: 'ASSIGNMENT_NOT_FOUND' },
    { index: 5, status: 400, code: 'VALIDATION_ERROR' },
  ]);
  t.equal(body.data.errors.length, 5);
});

await t.test('POST /events/batch 207: what JSON must not hold is the error of its item alone', async (t) => {
  const { id } = await assign();
  const item = (type: string, more: string) => `{"assignmentId":"${id}","eventType":"${type}"${more}}`;
  const bad = [
    ',"metadata":{"a":"\\u0000 ] , \\" }"}',
    ',"metadata":{"a":"\\ud800"}',
    ',"metadata":{"__proto__":{"a":1}}',
    ',"value":1e400',
    `,"metadata":${'{"a":'.repeat(20)}1${'}'.repeat(20)}`,
  ].map((more) => item('VIEW', more));
  const send = (events: string) => post(`{"events":${events}}`, '/events/batch');
  const { status, body } = await send(
    `[ ${[item('CLICK', ''), ...bad, item('CONVERSION', '')].join(' , ')} ]`,
  );
  t.equal(status, 207);
  t.match(body.data, { total: 7, success_count: 2 });
  t.same(
    body.data.errors.map((error: { index: number; status: number; code: string }) => [
      error.index,
      error.status,
      error.code,
    ]),
    [1, 2, 3, 4, 5].map((index) => [index, 400, 'MALFORMED_JSON']),
  );
  const good = item('CLICK', ',"eventId":"after"');
  for (const broken of [
    `[${good},${bad[0]}`,
    `[${good},{"a":},${bad[0]}]`,
    `[${good},,${bad[0]}]`,
    `[${good},${bad[0]},]`,
  ])
    t.match(await send(broken), { status: 400, body: { code: 'MALFORMED_JSON' } }, 'no JSON at all');
  t.equal((await send(`[${good}]`)).status, 201, 'of which nothing was written');
});

await t.test('POST /events/batch 207 with success false when none was created', async (t) => {
  const { status, body } = await post({ events: [{ eventType: 'CLICK' }] }, '/events/batch');
  t.equal(status, 207);
  t.match(body, {
    success: false,
    error: String,
    code: 'MULTI_STATUS_ALL_FAILED',
    data: { total: 1, success_count: 0, created: [], errors: [{ index: 0 }] },
  });
});

await t.test('POST /events/batch 400 without items, with too many, or without an array', async (t) => {
  const { id } = await assign();
  const item = { assignmentId: id, eventType: 'VIEW' };
  const many = Array.from({ length: 1_001 }, () => item);
  for (const payload of [{ events: [] }, { events: many }, { events: item }, {}, [item]]) {
    const { status, body } = await post(payload, '/events/batch');
    t.same([status, body.success, body.code], [400, false, 'VALIDATION_ERROR']);
  }
  const rows = await db.selectFrom('events').select('id').where('event_type', '=', 'VIEW').execute();
  t.equal(rows.length, 1, 'only that of an earlier test');
});

await t.test('POST /events/batch takes a thousand large items and refuses more than 8 MiB', async (t) => {
  const { id } = await assign();
  const events = Array.from({ length: 400 }, (_, i) => ({
    assignmentId: id,
    eventType: 'CUSTOM',
    eventId: `large${i}`,
    metadata: { a: 'x'.repeat(16_000) },
  }));
  const taken = await post({ events }, '/events/batch');
  t.same([taken.status, taken.body.data.success_count], [201, 400]);
  const refused = await post({ events: [...events, ...events] }, '/events/batch');
  t.same([refused.status, refused.body.code], [413, 'BODY_TOO_LARGE']);
});

await t.test('what came in is counted by type and outcome', async (t) => {
  const text = await registry.metrics();
  t.match(text, /bandit_events_total\{type="CONVERSION",outcome="duplicate"\} \d/);
  t.match(text, /bandit_events_total\{type="CUSTOM",outcome="created"\} 400/);
  const count = (name: string) => Number(new RegExp(`^${name}_count (\\d+)$`, 'm').exec(text)?.[1]);
  t.ok(count('bandit_event_commit_rows') > 0);
  t.equal(count('bandit_event_commit_seconds'), count('bandit_event_commit_rows'), 'each commit is timed');
});
