import { ApiError, limits } from '@bandit/contracts';
import { forEachStore } from '@bandit/db/testing';
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { createHarness, cutFirstCommit, type Harness, insertAssignment, type Tenant } from '../harness.ts';

interface Steps {
  readonly funnelId: string;
  readonly experimentIds: readonly string[];
}

async function makeFunnel({ experiment, activeExperiment, call }: Tenant, nExperiments = 2): Promise<Steps> {
  const made = [];
  for (let k = 0; k < nExperiments; k += 1) made.push(await (k % 2 ? experiment({}) : activeExperiment()));
  const experimentIds = made.map(({ id }) => id);
  const { body } = await call('POST', '/funnels', { name: 'Onboarding', experimentIds });
  return { funnelId: body.data.id, experimentIds };
}

/** Two active experiments in a funnel, and a function that assigns a user in both. */
async function makeStage(harness: Harness) {
  const tenant = await harness.tenant();
  const experiments = [await tenant.activeExperiment(), await tenant.activeExperiment()];
  const experimentIds = experiments.map(({ id }) => id);
  const { body } = await tenant.call('POST', '/funnels', { name: 'Onboarding', experimentIds });
  const funnelId: string = body.data.id;
  const assign = async (userId: string) => {
    for (const { id, treatments } of experiments) {
      const of = { companyId: tenant.companyId, experimentId: id, treatmentId: treatments[0]!.id, userId };
      await insertAssignment(harness.db, of);
    }
  };
  const reward = (userId: string, value = 1) =>
    tenant.call('POST', `/funnels/${funnelId}/reward`, { userId, value });
  return { tenant, experiments, funnelId, assign, reward };
}

async function countFacts(db: Harness['db'], companyId: string) {
  const count = async (table: 'funnel_rewards' | 'events' | 'event_keys') => {
    const query = db.selectFrom(table).where('company_id', '=', companyId);
    return (await query.select((eb) => eb.fn.countAll<number>().as('n')).executeTakeFirstOrThrow()).n;
  };
  return [await count('funnel_rewards'), await count('events'), await count('event_keys')];
}

t.test('funnels', (t) =>
  forEachStore(t, async (t, store) => {
    const harness = await createHarness(t, store);
    const tenant = await harness.tenant();
    const { call } = tenant;

    await t.test('creation answers 201 with the ids in order, status draft', async (t) => {
      const [a, b] = [await tenant.experiment(), await tenant.experiment()];
      const body = { name: 'F', description: 'why', experimentIds: [b.id, a.id] };
      const made = await call('POST', '/funnels', body);
      t.equal(made.status, 201);
      t.match(made.body.data, { ...body, status: 'draft' });
      t.match(made.body.data.id, /^fnl_/);
      const read = await call('GET', `/funnels/${made.body.data.id}`);
      t.same(
        read.body.data.experiments.map((x: { id: string }) => x.id),
        [b.id, a.id],
      );
      t.match(read.body.data.experiments[0], { name: b.name, status: 'draft', treatments: [] });
      t.same((await call('GET', '/funnels')).body.data[0], made.body.data);
    });

    await t.test('bad creations are 400', async (t) => {
      const { id } = await tenant.experiment();
      const foreign = await (await harness.tenant()).experiment();
      const bad = [
        [{}, 'VALIDATION_ERROR'],
        [{ name: 'F' }, 'VALIDATION_ERROR'],
        [{ name: '', experimentIds: [id] }, 'VALIDATION_ERROR'],
        [{ name: 'F', experimentIds: [] }, 'VALIDATION_ERROR'],
        [{ name: 'F', experimentIds: [id, id] }, 'VALIDATION_ERROR'],
        [{ name: 'F', experimentIds: id }, 'VALIDATION_ERROR'],
        [{ name: 'F', experimentIds: [5] }, 'VALIDATION_ERROR'],
        [{ name: 'F', experimentIds: Array.from({ length: 51 }, (_, k) => `exp_${k}`) }, 'VALIDATION_ERROR'],
        [{ name: 'F', experimentIds: [id], status: 'active' }, 'VALIDATION_ERROR'],
        [{ name: 'F', experimentIds: [id, 'exp_unknown'] }, 'UNKNOWN_EXPERIMENT_IN_FUNNEL'],
        [{ name: 'F', experimentIds: [id, foreign.id] }, 'UNKNOWN_EXPERIMENT_IN_FUNNEL'],
      ] as const;
      for (const [body, code] of bad) {
        t.match(await call('POST', '/funnels', body), { status: 400, body: { code } }, JSON.stringify(body));
      }
    });

    await t.test('fifty steps are allowed', async (t) => {
      const ids = [];
      for (let k = 0; k < limits.funnelExperimentsMax; k += 1) ids.push((await tenant.experiment()).id);
      t.equal((await call('POST', '/funnels', { name: 'F', experimentIds: ids })).status, 201);
    });

    await t.test('status moves freely but out of completed; experiments never change', async (t) => {
      const { funnelId, experimentIds } = await makeFunnel(tenant);
      const put = (body: object) => call('PUT', `/funnels/${funnelId}`, body);
      for (const status of ['ACTIVE', 'draft', 'PAUSED', 'active', 'active', 'COMPLETED', 'completed']) {
        t.match(await put({ status }), { status: 200, body: { data: { status: status.toLowerCase() } } });
      }
      for (const status of ['draft', 'ACTIVE', 'paused']) {
        t.match(await put({ status }), { status: 400, body: { code: 'INVALID_TRANSITION' } });
      }
      t.match(await put({ name: 'N', description: 'd' }), {
        status: 200,
        body: { data: { name: 'N', description: 'd' } },
      });
      for (const body of [{ experimentIds }, { status: 'archived' }, { name: '' }, { description: 5 }]) {
        t.match(await put(body), { status: 400, body: { code: 'VALIDATION_ERROR' } });
      }
    });

    await t.test(
      'deletion: malformed id 400, unknown 404, else 200 and gone; experiments stay',
      async (t) => {
        const { funnelId, experimentIds } = await makeFunnel(tenant);
        for (const id of ['abc', 'exp_abc', 'fnl.abc', 'fnl_a%20b', 'fnl_%C3%A9']) {
          t.match(
            await call('DELETE', `/funnels/${id}`),
            { status: 400, body: { code: 'MALFORMED_ID' } },
            id,
          );
          t.match(
            await call('GET', `/funnels/${id}`),
            { status: 404, body: { code: 'FUNNEL_NOT_FOUND' } },
            id,
          );
        }
        for (const id of ['fnl_unknown', `fnl_${'a'.repeat(90)}`]) {
          t.match(await call('DELETE', `/funnels/${id}`), {
            status: 404,
            body: { code: 'FUNNEL_NOT_FOUND' },
          });
        }
        t.match(await call('DELETE', `/funnels/${funnelId}`), {
          status: 200,
          body: { data: { id: funnelId } },
        });
        t.equal((await call('DELETE', `/funnels/${funnelId}`)).status, 404);
        t.equal((await call('GET', `/funnels/${funnelId}`)).status, 404);
        t.equal((await call('PUT', `/funnels/${funnelId}`, { name: 'x' })).status, 404);
        t.equal((await call('POST', `/funnels/${funnelId}/reward`, { userId: 'u', value: 1 })).status, 404);
        t.notOk((await call('GET', '/funnels')).body.data.some((x: { id: string }) => x.id === funnelId));
        t.equal((await call('GET', `/experiments/${experimentIds[0]}`)).status, 200);
      },
    );

    await testRewards(t, harness);
  }),
);

async function testRewards(t: Test, harness: Harness): Promise<void> {
  await t.test('a reward is one event per credited experiment, listed with the funnel', async (t) => {
    const { tenant, experiments, funnelId, assign, reward } = await makeStage(harness);
    const woken: string[] = [];
    const subscription = await harness.bus.subscribe('wake.*', (subject) => void woken.push(subject));
    t.teardown(() => subscription.close());
    await assign('u1');
    const answer = await reward('u1', 49.99);
    t.equal(answer.status, 200);
    t.same(answer.body.data, { funnelId, userId: 'u1', value: 49.99 });
    const rows = await harness.db
      .selectFrom('events')
      .where('company_id', '=', tenant.companyId)
      .selectAll()
      .execute();
    t.same(rows.map((row) => row.experiment_id).sort(), experiments.map(({ id }) => id).sort());
    for (const row of rows) {
      t.match(row, { event_type: 'CONVERSION', source: 'funnel', value: 49.99, funnel_id: funnelId });
      const batch = await harness.db
        .selectFrom('fact_batches')
        .where('batch', '=', row.batch)
        .where('partition', '=', row.partition)
        .selectAll()
        .executeTakeFirstOrThrow();
      const nInPartition = rows.filter((other) => other.partition === row.partition).length;
      t.match(batch, { n_events: nInPartition, n_assignments: 0 });
      t.ok(row.position < nInPartition);
    }
    t.same([...new Set(woken)].sort(), [...new Set(rows.map((row) => `wake.${row.partition}`))].sort());
    const listed = await tenant.call('GET', `/events/${experiments[0]?.id}`);
    t.match(listed.body.data[0], { eventType: 'CONVERSION', value: 49.99, metadata: { funnelId } });
    t.match(listed.body.data[0].metadata.assignmentId, /^asgn_/);
  });

  await t.test('only experiments with an assignment are credited, by the latest one', async (t) => {
    const { tenant, experiments, reward } = await makeStage(harness);
    const [, second] = experiments[0]!.treatments;
    const of = { companyId: tenant.companyId, experimentId: experiments[0]!.id, userId: 'u2' };
    const first = experiments[0]!.treatments[0]!.id;
    await insertAssignment(harness.db, { ...of, treatmentId: first }, { assignedAt: new Date('2026-01-01') });
    await insertAssignment(
      harness.db,
      { ...of, treatmentId: second!.id },
      { assignedAt: new Date('2026-01-02') },
    );
    t.equal((await reward('u2', 0)).status, 200);
    const rows = await harness.db
      .selectFrom('events')
      .where('company_id', '=', tenant.companyId)
      .selectAll()
      .execute();
    t.match(rows, [{ experiment_id: experiments[0]!.id, treatment_id: second!.id, value: 0 }]);
    t.equal(rows.length, 1);
  });

  await t.test(
    'refusals: 400 bad body and completed, 404 no assignment and unknown, 409 again',
    async (t) => {
      const { tenant, funnelId, assign, reward } = await makeStage(harness);
      const post = (body: object) => tenant.call('POST', `/funnels/${funnelId}/reward`, body);
      const bad = [
        {},
        { userId: 'u' },
        { value: 1 },
        { userId: 'u', value: -0.01 },
        { userId: 'u', value: '1' },
        { userId: 'u', value: null },
        { userId: 'u', value: 1e13 },
        { userId: '', value: 1 },
        { userId: '  ', value: 1 },
        { userId: 'x'.repeat(257), value: 1 },
        { userId: 'u', value: 1, extra: 1 },
      ];
      for (const body of bad) t.match(await post(body), { status: 400, body: { code: 'VALIDATION_ERROR' } });
      t.match(await reward('nobody'), { status: 404, body: { code: 'NO_ASSIGNMENTS_FOR_USER' } });
      await assign('nobody');
      t.equal((await reward('nobody')).status, 200, 'a 404 claimed nothing');
      t.match(await reward('nobody', 5), { status: 409, body: { code: 'REWARD_ALREADY_RECORDED' } });
      const unknown = await tenant.call('POST', '/funnels/fnl_unknown/reward', { userId: 'u', value: 1 });
      t.match(unknown, { status: 404, body: { code: 'FUNNEL_NOT_FOUND' } });
      await assign('late');
      await tenant.call('PUT', `/funnels/${funnelId}`, { status: 'paused' });
      t.equal((await reward('late')).status, 200, 'a paused funnel takes rewards');
      await tenant.call('PUT', `/funnels/${funnelId}`, { status: 'completed' });
      await assign('later');
      t.match(await reward('later'), { status: 400, body: { code: 'FUNNEL_COMPLETED' } });
    },
  );

  await t.test('of fifty simultaneous rewards one is 200 and forty-nine are 409', async (t) => {
    const { tenant, assign, reward } = await makeStage(harness);
    await assign('u');
    const answers = await Promise.all(Array.from({ length: 50 }, () => reward('u')));
    t.same(answers.map((answer) => answer.status).sort(), [200, ...Array.from({ length: 49 }, () => 409)]);
    t.same(await countFacts(harness.db, tenant.companyId), [1, 2, 2]);
  });

  await t.test('after a 500 nothing has moved, and a retry is a 200', async (t) => {
    const { tenant, assign, reward } = await makeStage(harness);
    await assign('u');
    for (const table of ['funnel_rewards', 'event_keys', 'events', 'fact_batches']) {
      await failInsertsInto(harness.db, table);
      t.equal((await reward('u')).status, 500, table);
      await stopFailing(harness.db, table);
      t.same(await countFacts(harness.db, tenant.companyId), [0, 0, 0], table);
    }
    t.equal((await reward('u')).status, 200);
    t.same(await countFacts(harness.db, tenant.companyId), [1, 2, 2]);
  });

  await t.test('a commit whose connection was cut is settled by a second run, never as 409', async (t) => {
    for (const isStored of [true, false]) {
      const cut = cutFirstCommit(harness.deps.db, isStored);
      const other = await createHarness(t, harness.store, { db: cut.db });
      const { tenant, assign, reward } = await makeStage(other);
      await assign('u');
      cut.arm();
      t.equal((await reward('u')).status, 200, isStored ? 'stored' : 'not stored');
      t.equal(cut.nCuts(), 1);
      t.same(await countFacts(harness.db, tenant.companyId), [1, 2, 2]);
      t.equal((await reward('u')).status, 409, "another request's repeat is one");
    }
  });
}

async function failInsertsInto(db: Harness['db'], table: string): Promise<void> {
  await sql
    .raw(`create or replace function injected_fault() returns trigger language plpgsql as
      $$ begin raise exception 'injected'; end $$`)
    .execute(db);
  await sql
    .raw(`create trigger injected before insert on ${table} for each row execute function injected_fault()`)
    .execute(db);
}

async function stopFailing(db: Harness['db'], table: string): Promise<void> {
  await sql.raw(`drop trigger injected on ${table}`).execute(db);
}

t.test('a user whose assignment is on its way into the database is told to come again', (t) =>
  forEachStore(t, async (t, store) => {
    let nLooks = 0;
    let onLook = async (): Promise<void> => undefined;
    const lateAssignments = {
      assertNone: async () => {
        nLooks += 1;
        await onLook();
      },
    };
    const { assign, reward } = await makeStage(await createHarness(t, store, { lateAssignments }));
    const away = new ApiError('STORE_UNAVAILABLE', 'on their way');
    onLook = () => Promise.reject(away);
    t.match(await reward('late'), { status: 503, headers: { 'retry-after': /./ } });
    onLook = async () => undefined;
    t.match(await reward('late'), { status: 404, body: { code: 'NO_ASSIGNMENTS_FOR_USER' } });
    // Brought in between the look at the tables and that at the stream.
    onLook = () => assign('late');
    t.equal((await reward('late')).status, 200);
    t.equal(nLooks, 3);
    t.equal((await reward('late')).status, 409);
    t.equal(nLooks, 3, 'nobody looks for users who have an assignment');
  }),
);
