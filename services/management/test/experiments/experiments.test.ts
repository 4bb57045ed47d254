import type { Experiment } from '@bandit/contracts';
import { openDatabase } from '@bandit/db';
import { createTestDatabase } from '@bandit/db/testing';
import t from 'tap';
import { createHarness, insertAssignment, send, twoTreatments } from '../harness.ts';

t.test('experiments', async (t) => {
  const harness = await createHarness(t, await createTestDatabase(t));
  const tenant = await harness.tenant();
  const { call } = tenant;
  const put = (id: string, body: object) => call('PUT', `/experiments/${id}`, body);

  t.test('creation answers every field, with defaults, in draft', async (t) => {
    const { status, body } = await call('POST', '/experiments', { name: 'A', algorithm: 'UCB1' });
    t.equal(status, 201);
    t.match(body.data, { name: 'A', description: null, algorithm: 'UCB1', algorithmConfig: {} });
    t.match(body.data, { contentType: 'PLAIN_TEXT', status: 'draft', assignmentTtl: 86_400, endAt: null });
    t.same(body.data.treatments, []);
    t.match(body.data.id, /^exp_[A-Za-z0-9_-]{22}$/);
    t.equal(body.data.createdAt, new Date(body.data.createdAt).toISOString());
  });

  t.test('creation with treatments keeps their order, weight 1 and no control by default', async (t) => {
    const treatments = [
      { name: 'A', config: { content: 'a', metadata: { deep: [1] } }, weight: 2.5, isControl: true },
      { name: 'B', description: 'second', config: { content: 'b' } },
    ];
    const made = await tenant.experiment({ description: 'why', treatments, assignmentTtl: 0 });
    t.match(made, { description: 'why', assignmentTtl: 0 });
    t.match(made.treatments, [
      {
        name: 'A',
        description: null,
        weight: 2.5,
        isControl: true,
        config: { content: 'a', metadata: { deep: [1] } },
      },
      { name: 'B', description: 'second', weight: 1, isControl: false, config: { content: 'b' } },
    ]);
    const read = await call('GET', `/experiments/${made.id}`);
    t.equal(read.status, 200);
    t.same(read.body.data, made);
  });

  t.test('a status comes in either case and goes out in one', async (t) => {
    const made = await tenant.experiment({ treatments: twoTreatments });
    for (const status of ['ACTIVE', 'paused', 'active', 'COMPLETED', 'Archived'.toUpperCase()]) {
      const { body } = await put(made.id, { status });
      t.equal(body.data.status, status.toLowerCase());
    }
  });

  t.test('a bad creation is 400 and leaves nothing behind', async (t) => {
    const before = (await call('GET', '/experiments')).body.data.length;
    const good = { name: 'A', algorithm: 'UCB1' };
    const treatment = { name: 'T', config: { content: 'c' } };
    const bad: object[] = [
      {},
      { name: 'A' },
      { algorithm: 'UCB1' },
      { ...good, name: '' },
      { ...good, name: '   ' },
      { ...good, name: 'x'.repeat(201) },
      { ...good, name: 5 },
      { ...good, algorithm: 'RANDOM' },
      { ...good, algorithm: 'ucb1' },
      { ...good, contentType: 'html' },
      { ...good, contentType: 'PDF' },
      { ...good, status: 'active' },
      { ...good, unknown: 1 },
      { ...good, assignmentTtl: -1 },
      { ...good, assignmentTtl: 1.5 },
      { ...good, assignmentTtl: '60' },
      { ...good, assignmentTtl: 315_360_001 },
      { ...good, description: null },
      { ...good, algorithmConfig: { epsilon: 0.1 } },
      { ...good, algorithmConfig: [] },
      { ...good, treatments: {} },
      { ...good, treatments: [{}] },
      { ...good, treatments: [{ ...treatment, weight: 0 }] },
      { ...good, treatments: [{ ...treatment, weight: -1 }] },
      { ...good, treatments: [{ ...treatment, weight: '1' }] },
      { ...good, treatments: [{ ...treatment, isControl: 'yes' }] },
      { ...good, treatments: [{ ...treatment, config: {} }] },
      { ...good, treatments: [{ ...treatment, config: { content: 'c', extra: 1 } }] },
      { ...good, treatments: [{ ...treatment, id: 'trt_1' }] },
      { ...good, treatments: Array.from({ length: 51 }, () => treatment) },
      { ...good, contentType: 'JSON', treatments: [treatment] },
      { ...good, contentType: 'IMAGE_URL', treatments: [treatment] },
    ];
    for (const body of bad) {
      const answer = await call('POST', '/experiments', body);
      t.equal(answer.status, 400, JSON.stringify(body).slice(0, 80));
      t.equal(answer.body.code, 'VALIDATION_ERROR');
    }
    const control = { ...treatment, isControl: true };
    const twoControls = await call('POST', '/experiments', { ...good, treatments: [control, control] });
    t.match(twoControls, { status: 400, body: { code: 'CONTROL_EXISTS' } });
    t.equal((await call('GET', '/experiments')).body.data.length, before);
  });

  t.test('fifty treatments are allowed, the fifty-first is not, until one is removed', async (t) => {
    const treatments = Array.from({ length: 50 }, (_, k) => ({ name: `T${k}`, config: { content: `${k}` } }));
    const made = await tenant.experiment({ treatments });
    t.equal(made.treatments.length, 50);
    const extra = { name: 'more', config: { content: 'm' } };
    const refused = await call('POST', `/experiments/${made.id}/treatments`, extra);
    t.match(refused, { status: 400, body: { code: 'TOO_MANY_TREATMENTS' } });
    t.equal(
      (await call('DELETE', `/experiments/${made.id}/treatments/${made.treatments[3]?.id}`)).status,
      200,
    );
    t.equal((await call('POST', `/experiments/${made.id}/treatments`, extra)).status, 201);
    const positions = await harness.db
      .selectFrom('treatments')
      .where('experiment_id', '=', made.id)
      .where('removed_at', 'is', null)
      .select('position')
      .orderBy('position')
      .execute();
    // Position 3 stays the removed treatment's for ever; the new one is 50.
    t.same(
      positions.map((row) => row.position),
      [...Array.from({ length: 51 }, (_, k) => k).filter((k) => k !== 3)],
    );
  });

  t.test('activation takes a treatment, also when all were removed meanwhile', async (t) => {
    const empty = await tenant.experiment();
    const refused = await put(empty.id, { status: 'ACTIVE' });
    t.match(refused, { status: 400, body: { code: 'EXPERIMENT_NO_TREATMENTS' } });
    const added = await call('POST', `/experiments/${empty.id}/treatments`, twoTreatments[0]);
    t.equal(added.status, 201);
    t.equal((await put(empty.id, { status: 'ACTIVE' })).status, 200);
    await put(empty.id, { status: 'PAUSED' });
    const removed = await call('DELETE', `/experiments/${empty.id}/treatments/${added.body.data.id}`);
    t.equal(removed.status, 200, 'the last treatment of a paused experiment may go');
    const again = await put(empty.id, { status: 'ACTIVE' });
    t.match(again, { status: 400, body: { code: 'EXPERIMENT_NO_TREATMENTS' } });
  });

  t.test('the same status again is a no-op: 200, nothing audited, no new version', async (t) => {
    const made = await tenant.activeExperiment();
    const version = () =>
      harness.db
        .selectFrom('companies')
        .where('id', '=', tenant.companyId)
        .select('config_version')
        .executeTakeFirstOrThrow();
    const before = await version();
    const again = await put(made.id, { status: 'active', name: made.name });
    t.equal(again.status, 200);
    t.same(again.body.data, made);
    t.equal((await put(made.id, {})).status, 200);
    t.same(await version(), before);
  });

  t.test('forbidden moves are INVALID_TRANSITION and change nothing else of the body', async (t) => {
    const made = await tenant.activeExperiment();
    const refused = await put(made.id, { status: 'DRAFT', name: 'renamed' });
    t.match(refused, { status: 400, body: { code: 'INVALID_TRANSITION' } });
    t.equal((await call('GET', `/experiments/${made.id}`)).body.data.name, made.name);
  });

  t.test('fields that cannot change are 400, told apart from fields that do not exist', async (t) => {
    const draft = await tenant.experiment();
    for (const body of [{ contentType: 'HTML' }, { treatments: [] }, { id: 'exp_x' }, { createdAt: '' }]) {
      t.match(await put(draft.id, body), { status: 400, body: { code: 'FIELD_NOT_CHANGEABLE' } });
    }
    for (const body of [
      { nonsense: 1 },
      { status: 'running' },
      { name: 5 },
      { assignmentTtl: -1 },
      { endAt: 'soon' },
    ]) {
      t.match(await put(draft.id, body), { status: 400, body: { code: 'VALIDATION_ERROR' } });
    }
  });

  t.test('algorithm and algorithmConfig change while draft only, and fit together', async (t) => {
    const draft = await tenant.experiment({ algorithm: 'EPSILON_GREEDY', algorithmConfig: { epsilon: 0.3 } });
    t.match(await put(draft.id, { algorithm: 'UCB1' }), {
      status: 400,
      body: { error: /no option "epsilon"/ },
    });
    const changed = await put(draft.id, { algorithm: 'UCB1', algorithmConfig: { variant: 'kl' } });
    t.match(changed.body.data, { algorithm: 'UCB1', algorithmConfig: { variant: 'kl' } });
    const active = await tenant.activeExperiment();
    for (const body of [{ algorithm: 'UCB1' }, { algorithmConfig: {} }, { algorithm: active.algorithm }]) {
      t.match(await put(active.id, body), { status: 400, body: { code: 'FIELD_NOT_CHANGEABLE' } });
    }
  });

  t.test('endAt is a future instant or null, and can be taken back', async (t) => {
    const made = await tenant.activeExperiment();
    const nowMs = harness.deps.nowMs();
    for (const atMs of [nowMs - 1_000, 0]) {
      const refused = await put(made.id, { endAt: new Date(atMs).toISOString() });
      t.match(refused, {
        status: 400,
        body: { code: 'VALIDATION_ERROR', error: /endAt must be an instant after now/ },
      });
    }
    const endAt = new Date(nowMs + 3_600_000).toISOString();
    t.equal((await put(made.id, { endAt })).body.data.endAt, endAt);
    t.equal((await put(made.id, { name: 'other' })).body.data.endAt, endAt);
    t.equal((await put(made.id, { endAt: null })).body.data.endAt, null);
  });

  t.test('an experiment whose end has passed is not activated', async (t) => {
    const draft = await tenant.experiment({ treatments: twoTreatments });
    await put(draft.id, { endAt: new Date(harness.deps.nowMs() + 5_000).toISOString() });
    harness.clock.aheadMs = 60_000;
    t.match(await put(draft.id, { status: 'ACTIVE' }), { status: 400, body: { code: 'INVALID_TRANSITION' } });
    const later = await put(draft.id, {
      status: 'ACTIVE',
      endAt: new Date(harness.deps.nowMs() + 5_000).toISOString(),
    });
    t.match(later, { status: 200, body: { data: { status: 'active' } } });
    harness.clock.aheadMs = 0;
  });

  t.test('the last treatment of an active experiment stays; others go softly', async (t) => {
    const made = await tenant.activeExperiment();
    const [first, second] = made.treatments as [Experiment['treatments'][0], Experiment['treatments'][0]];
    const of = { companyId: tenant.companyId, experimentId: made.id, treatmentId: first.id, userId: 'u' };
    await insertAssignment(harness.db, of);
    const removed = await call('DELETE', `/experiments/${made.id}/treatments/${first.id}`);
    t.match(removed, { status: 200, body: { data: { id: first.id } } });
    t.same(
      (await call('GET', `/experiments/${made.id}`)).body.data.treatments.map((x: { id: string }) => x.id),
      [second.id],
    );
    t.match(await call('DELETE', `/experiments/${made.id}/treatments/${first.id}`), {
      status: 404,
      body: { code: 'TREATMENT_NOT_FOUND' },
    });
    t.match(await call('DELETE', `/experiments/${made.id}/treatments/${second.id}`), {
      status: 400,
      body: { code: 'LAST_TREATMENT' },
    });
    t.equal(
      (await call('GET', `/events/${made.id}`)).body.data[0].treatmentId,
      first.id,
      'its history stays',
    );
  });

  t.test('a treatment of another experiment of the company is 400', async (t) => {
    const [one, other] = [await tenant.activeExperiment(), await tenant.activeExperiment()];
    const answer = await call('DELETE', `/experiments/${one.id}/treatments/${other.treatments[0]?.id}`);
    t.match(answer, { status: 400, body: { code: 'TREATMENT_NOT_IN_EXPERIMENT' } });
  });

  t.test(
    'adding to an active experiment is allowed, marks the newcomer, and keeps one control',
    async (t) => {
      const made = await tenant.activeExperiment();
      const url = `/experiments/${made.id}/treatments`;
      const added = await call('POST', url, { name: 'late', config: { content: 'l' }, weight: 0.5 });
      t.match(added, {
        status: 201,
        body: { data: { name: 'late', weight: 0.5, isControl: false, experimentId: made.id } },
      });
      const rows = await harness.db
        .selectFrom('treatments')
        .where('experiment_id', '=', made.id)
        .select(['name', 'is_original'])
        .orderBy('position')
        .execute();
      t.same(
        rows.map((row) => row.is_original),
        [true, true, false],
      );
      const control = await call('POST', url, { name: 'c', config: { content: 'c' }, isControl: true });
      t.match(control, { status: 400, body: { code: 'CONTROL_EXISTS' } });
      t.match(await call('POST', url, { name: 'c' }), { status: 400, body: { code: 'VALIDATION_ERROR' } });
    },
  );

  t.test('simultaneous additions take different positions and never two controls', async (t) => {
    const made = await tenant.experiment();
    const url = `/experiments/${made.id}/treatments`;
    const control = { name: 'c', config: { content: 'c' }, isControl: true };
    const answers = await Promise.all(Array.from({ length: 12 }, () => call('POST', url, control)));
    t.same(answers.map((answer) => answer.status).sort(), [201, ...Array.from({ length: 11 }, () => 400)]);
  });

  t.test('refresh asks the learner and answers its version; without one it is 503', async (t) => {
    const made = await tenant.activeExperiment();
    const away = await call('POST', `/experiments/${made.id}/refresh`);
    t.match(away, { status: 503, body: { code: 'STORE_UNAVAILABLE' } });
    const asked: unknown[] = [];
    const responder = await harness.bus.respond('learner.refresh', async (payload) => {
      asked.push(JSON.parse(Buffer.from(payload).toString()));
      return Buffer.from(JSON.stringify({ version: 7 }));
    });
    t.teardown(() => responder.close());
    const done = await call('POST', `/experiments/${made.id}/refresh`);
    t.match(done, { status: 200, body: { data: { experimentId: made.id, version: 7 } } });
    t.same(asked, [{ companyId: tenant.companyId, experimentId: made.id }]);
    t.match(await call('POST', '/experiments/exp_none/refresh'), { status: 404 });
    t.equal(asked.length, 1, 'the learner is not asked about an unknown experiment');
  });

  t.test('the list is newest first, with live treatments, in two queries', async (t) => {
    const other = await harness.tenant();
    const made = [];
    for (let k = 0; k < 4; k += 1)
      made.push(await other.experiment({ name: `E${k}`, treatments: twoTreatments }));
    await other.call('DELETE', `/experiments/${made[1]?.id}/treatments/${made[1]?.treatments[0]?.id}`);
    const { status, body } = await other.call('GET', '/experiments');
    t.equal(status, 200);
    t.same(
      body.data.map((x: Experiment) => x.name),
      ['E3', 'E2', 'E1', 'E0'],
    );
    t.same(
      body.data.map((x: Experiment) => x.treatments.length),
      [2, 2, 1, 2],
    );
  });

  t.test('with the database away every route answers 503 with Retry-After', async (t) => {
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const away = openDatabase({ connectionString: 'postgres://nobody@127.0.0.1:1/none', log });
    t.teardown(() => away.close());
    const { app } = await createHarness(t, harness.store, { db: away.db });
    const calls = [
      ['GET', '/experiments'],
      ['POST', '/experiments', { name: 'E', algorithm: 'UCB1' }],
      ['GET', '/funnels/fnl_x'],
      ['POST', '/funnels/fnl_x/reward', { userId: 'u', value: 1 }],
      ['GET', '/events/exp_x'],
      ['GET', '/experiments/exp_x/results'],
      ['GET', '/members'],
    ] as const;
    for (const [method, url, payload] of calls) {
      const answer = await send(app, { method, url, ...(payload ? { payload } : {}) }, tenant.email);
      t.match(
        answer,
        { status: 503, body: { code: 'STORE_UNAVAILABLE' }, headers: { 'retry-after': '1' } },
        url,
      );
    }
  });

  t.test('every change publishes the new configuration version', async (t) => {
    const seen: { companyId: string; version: number }[] = [];
    const subscription = await harness.bus.subscribe('config.*', (_subject, payload) => {
      seen.push(JSON.parse(Buffer.from(payload).toString()));
    });
    t.teardown(() => subscription.close());
    await tenant.activeExperiment();
    const { config_version: stored } = await harness.db
      .selectFrom('companies')
      .where('id', '=', tenant.companyId)
      .select('config_version')
      .executeTakeFirstOrThrow();
    t.same(seen, [
      { companyId: tenant.companyId, version: stored - 1 },
      { companyId: tenant.companyId, version: stored },
    ]);
  });
});
