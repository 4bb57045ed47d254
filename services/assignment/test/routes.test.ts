import { randomBytes } from 'node:crypto';
import { makeApiKey } from '@bandit/auth';
import { limits } from '@bandit/contracts';
import { createTestDatabase } from '@bandit/db/testing';
import t from 'tap';
import {
  addCompany,
  addExperiment,
  bumpConfig,
  ids,
  keyOf,
  recordedAssignments,
  startInstance,
  treatmentId,
  updateExperiment,
} from './harness.ts';

const startMs = 1_790_000_000_000;
const { db } = await createTestDatabase(t);

async function createWorld(t: import('tap').Test) {
  const companyId = await addCompany(db);
  const clock = { nowMs: startMs };
  return { companyId, clock, instance: await startInstance(t, db, { companyId, clock }) };
}

t.test('POST /assignments answers 200 with the whole assignment, and the same one again', async (t) => {
  const { companyId, instance } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId);
  await instance.directory.poll();
  const body = { experimentId, userId: 'user_42', context: { deviceType: 'mobile', country: 'US' } };
  const first = await instance.post(body);
  t.equal(first.status, 200);
  t.equal(first.headers['content-type'], 'application/json; charset=utf-8');
  t.equal(first.headers['x-recorded'], undefined);
  const { assignmentId, treatment } = first.body.data;
  const position = treatment.id === treatmentId(experimentId, 0) ? 0 : 1;
  t.strictSame(first.body, {
    success: true,
    data: {
      assignmentId,
      experimentId,
      treatment: {
        id: treatmentId(experimentId, position),
        name: `Headline "${position}"`,
        config: { content: `Text ${position}\n`, metadata: { position } },
      },
      confidence: 0.5,
    },
    timestamp: new Date(startMs).toISOString(),
  });
  t.match(assignmentId, /^asgn_[A-Za-z0-9_-]+$/);
  t.match(ids.verify(assignmentId), {
    companyId,
    experimentId,
    userId: 'user_42',
    propensity: 0.5,
    stateVersion: 0,
  });
  const again = await instance.post({ ...body, context: { deviceType: 'desktop' } });
  t.strictSame(again.body, first.body, 'whatever the context of later calls');
  const rows = await recordedAssignments(db, experimentId);
  t.equal(rows.length, 1);
  t.match(rows[0], { context: body.context, source: 'draw', is_first: true, mac_key_id: 'mk1' });
});

t.test('GET /assignments/:experimentId is the same by query, and never cached', async (t) => {
  const { companyId, instance } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId);
  await instance.directory.poll();
  const context = { device: 'mobile', age: 4.5, isNew: false };
  const query = `userId=user%2042&context=${encodeURIComponent(JSON.stringify(context))}`;
  const got = await instance.get(`${experimentId}?${query}`);
  t.equal(got.status, 200);
  t.equal(got.headers['cache-control'], 'no-store');
  t.match((await recordedAssignments(db, experimentId))[0], { user_id: 'user 42', context });
  const posted = await instance.post({ experimentId, userId: 'user 42' });
  t.strictSame(posted.body, got.body);
  const refused = {
    400: [experimentId, `${experimentId}?userId=u&context=[]`],
    404: ['exp_unknown?userId=u'],
  };
  for (const [status, paths] of Object.entries(refused)) {
    for (const path of paths) {
      const answer = await instance.get(path);
      t.equal(answer.status, Number(status), path);
      t.equal(answer.headers['cache-control'], 'no-store', `${path}: a refusal is not kept either`);
    }
  }
  const noKey = await instance.get(`${experimentId}?userId=u`, { 'x-api-key': 'nonsense' });
  t.equal(noKey.status, 401);
  t.equal(noKey.headers['cache-control'], 'no-store');
});

t.test('HEAD answers as GET would and creates nothing', async (t) => {
  const { companyId, instance } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId);
  await instance.directory.poll();
  const head = await instance.head(`${experimentId}?userId=u`);
  t.equal(head.status, 200);
  t.equal(head.text, '');
  t.equal(head.headers['cache-control'], 'no-store');
  t.equal((await instance.head('exp_unknown?userId=u')).status, 404);
  t.equal((await instance.head(experimentId)).status, 400);
  t.equal((await recordedAssignments(db, experimentId)).length, 0);
});

t.test('an unknown experiment, a malformed id and another company get the same 404', async (t) => {
  const { companyId, instance } = await createWorld(t);
  const other = await addCompany(db);
  const foreign = await addExperiment(db, other);
  const own = await addExperiment(db, companyId);
  await instance.directory.poll();
  t.equal((await instance.post({ experimentId: own, userId: 'u' })).status, 200);
  const seen = new Set<string>();
  for (const id of [foreign, 'exp_unknown', 'nonsense', 'exp_%00', '../x']) {
    const posted = await instance.post({ experimentId: id, userId: 'u' });
    const got = await instance.get(`${encodeURIComponent(id)}?userId=u`);
    for (const { status, text } of [posted, got]) {
      t.equal(status, 404);
      seen.add(text);
    }
  }
  t.equal(seen.size, 1, 'byte for byte');
  t.match(JSON.parse([...seen][0]!), { success: false, code: 'EXPERIMENT_NOT_FOUND' });
  const asOther = await instance.post({ experimentId: foreign, userId: 'u' }, { 'x-api-key': keyOf(other) });
  t.equal(asOther.status, 200);
  t.equal(
    (await instance.post({ experimentId: own, userId: 'u' }, { 'x-api-key': keyOf(other) })).status,
    404,
  );
});

t.test('only an active experiment assigns; the answer names its status, for known users too', async (t) => {
  const { companyId, instance } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId);
  await instance.directory.poll();
  t.equal((await instance.post({ experimentId, userId: 'known' })).status, 200);
  for (const status of ['draft', 'paused', 'completed', 'archived'] as const) {
    await updateExperiment(db, experimentId, { status });
    const version = await bumpConfig(db, companyId);
    instance.bus.publish(`config.${companyId}`, Buffer.from(JSON.stringify({ companyId, version })));
    await instance.directory.poll();
    for (const userId of ['known', 'new']) {
      const posted = await instance.post({ experimentId, userId });
      t.match(posted, { status: 400, body: { code: 'EXPERIMENT_NOT_ACTIVE', details: { status } } });
      t.match(posted.body.error, status);
      t.match(await instance.get(`${experimentId}?userId=${userId}`), { status: 400 });
    }
  }
  t.equal((await recordedAssignments(db, experimentId)).length, 1);
});

t.test('endAt is the instant at which assignments stop', async (t) => {
  const { companyId, instance, clock } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, { endAtMs: startMs + 5_000 });
  await instance.directory.poll();
  clock.nowMs = startMs + 4_999;
  t.equal((await instance.post({ experimentId, userId: 'known' })).status, 200);
  clock.nowMs = startMs + 5_000;
  for (const userId of ['known', 'new']) {
    const posted = await instance.post({ experimentId, userId });
    t.match(posted, {
      status: 400,
      body: { code: 'EXPERIMENT_NOT_ACTIVE', details: { status: 'completed' } },
    });
  }
});

t.test('an experiment without live treatments is refused, not a crash', async (t) => {
  const { companyId, instance } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, { weights: [] });
  await instance.directory.poll();
  t.match(await instance.post({ experimentId, userId: 'u' }), {
    status: 400,
    body: { code: 'EXPERIMENT_NO_TREATMENTS' },
  });
});

t.test('without the right key the answer is 401 or 403', async (t) => {
  const { companyId, instance } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId);
  await instance.directory.poll();
  const own = keyOf(companyId);
  const cases: Array<[Record<string, string>, number]> = [
    [{ 'x-api-key': '' }, 401],
    [{ 'x-api-key': 'garbage' }, 401],
    [{ 'x-api-key': `${own.slice(0, -1)}!` }, 401],
    [{ 'x-api-key': makeApiKey('test', randomBytes).key }, 401],
    [{ 'x-api-key': own, authorization: `Bearer ${keyOf(companyId, 'events')}` }, 401],
    [{ 'x-api-key': keyOf(companyId, 'events') }, 403],
  ];
  for (const [headers, status] of cases) {
    t.equal((await instance.post({ experimentId, userId: 'u' }, headers)).status, status);
    t.equal((await instance.get(`${experimentId}?userId=u`, headers)).status, status);
  }
  t.equal((await recordedAssignments(db, experimentId)).length, 0);
});

const keys = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, i]));

t.test('bad bodies are 400, name the field and write nothing', async (t) => {
  const { companyId, instance } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId);
  await instance.directory.poll();
  const ok = { experimentId, userId: 'u' };
  const cases: Array<[string, unknown, string]> = [
    ['no experimentId', { userId: 'u' }, 'experimentId'],
    ['no userId', { experimentId }, 'userId'],
    ['empty userId', { ...ok, userId: '' }, 'userId'],
    ['blank userId', { ...ok, userId: ' \t' }, 'userId'],
    ['long userId', { ...ok, userId: 'x'.repeat(limits.userIdCharsMax + 1) }, 'userId'],
    ['userId a number', { ...ok, userId: 5 }, 'userId'],
    ['experimentId null', { ...ok, experimentId: null }, 'experimentId'],
    ['unknown field', { ...ok, more: 1 }, 'more'],
    ['context null', { ...ok, context: null }, 'context'],
    ['context an array', { ...ok, context: [] }, 'context'],
    ['context text', { ...ok, context: '{}' }, 'context'],
    ['value null', { ...ok, context: { a: null } }, 'context.a'],
    ['value nested', { ...ok, context: { a: { b: 1 } } }, 'context.a'],
    ['value an array', { ...ok, context: { a: [1] } }, 'context.a'],
    ['nested under a key with a line break', { ...ok, context: { 'a\nb': { c: 1 } } }, 'context'],
    ['too many keys', { ...ok, context: keys(limits.contextKeysMax + 1) }, 'context'],
    ['empty key', { ...ok, context: { '': 1 } }, 'context'],
    ['long key', { ...ok, context: { ['k'.repeat(limits.contextKeyCharsMax + 1)]: 1 } }, 'context'],
    ['long value', { ...ok, context: { a: 'x'.repeat(limits.contextStringCharsMax + 1) } }, 'context.a'],
  ];
  for (const [name, body, field] of cases) {
    const { status, body: answer } = await instance.post(body);
    t.match({ status, answer }, { status: 400, answer: { success: false, code: 'VALIDATION_ERROR' } }, name);
    t.match(answer.error, field, name);
  }
  for (const text of [
    '',
    '{',
    '[1',
    '{"a":1e400}',
    `{"userId":"\\u0000","experimentId":"${experimentId}"}`,
  ]) {
    t.equal((await instance.post(text)).status, 400, text);
  }
  t.equal((await instance.post(ok, { 'content-type': 'text/plain' })).status, 415);
  t.equal((await instance.post(`"${'x'.repeat(limits.bodyBytesMax)}"`)).status, 413);
  t.equal((await recordedAssignments(db, experimentId)).length, 0);
});

t.test('edges that are allowed are accepted', async (t) => {
  const { companyId, instance } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId);
  await instance.directory.poll();
  const bodies = [
    { userId: 'x'.repeat(limits.userIdCharsMax) },
    { userId: 'ü 🦊 :\\"' },
    { userId: 'c1', context: {} },
    { userId: 'c2', context: keys(limits.contextKeysMax) },
    {
      userId: 'c3',
      context: { ['k'.repeat(limits.contextKeyCharsMax)]: 'x'.repeat(limits.contextStringCharsMax) },
    },
    { userId: 'c4', context: { 'a\nb': -1.5e300, t: true, f: false, zero: 0 } },
  ];
  for (const body of bodies) {
    const made = await instance.post({ experimentId, ...body });
    t.equal(made.status, 200, body.userId);
    t.equal(ids.verify(made.body.data.assignmentId)?.userId, body.userId);
  }
  const rows = await recordedAssignments(db, experimentId);
  t.strictSame(
    new Map(rows.map((row) => [row.user_id, row.context])),
    new Map(bodies.map(({ userId, context }) => [userId, context ?? null])),
  );
});

t.test('bad queries are 400 and write nothing', async (t) => {
  const { companyId, instance } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId);
  await instance.directory.poll();
  const context = (value: unknown) => `userId=u&context=${encodeURIComponent(JSON.stringify(value))}`;
  const queries = [
    '',
    'userId=',
    'userId=%20',
    'userId=%00',
    'userId=a%00b',
    'userId=u&userId=v',
    'userId=u&context=%7B%7D&context=%7B%7D',
    'userId=u&more=1',
    `userId=${'x'.repeat(limits.userIdCharsMax + 1)}`,
    'userId=u&context=',
    'userId=u&context=%7B',
    'userId=u&context=%7B%22__proto__%22%3A1%7D',
    'userId=u&context=%7B%22a%22%3A1e400%7D',
    context(null),
    context([]),
    context('text'),
    context({ a: null }),
    context({ a: {} }),
    context(keys(limits.contextKeysMax + 1)),
  ];
  for (const query of queries) {
    const { status, body } = await instance.get(`${experimentId}?${query}`);
    t.match({ status, body }, { status: 400, body: { success: false, error: String } }, query);
  }
  t.equal((await recordedAssignments(db, experimentId)).length, 0);
});

t.test('GET and POST refuse a context with the same words', async (t) => {
  const { companyId, instance } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId);
  await instance.directory.poll();
  const context = { a: null };
  const posted = await instance.post({ experimentId, userId: 'u', context });
  const query = `userId=u&context=${encodeURIComponent(JSON.stringify(context))}`;
  const got = await instance.get(`${experimentId}?${query}`);
  t.equal(got.text, posted.text);
});
