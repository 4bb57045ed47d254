/** An end user is erased through the API, with every service's own code on one database. */
import { randomBytes } from 'node:crypto';
import { createInProcessCache } from '@bandit/cache';
import { assignmentCacheKey, type Experiment, type TrackEvent } from '@bandit/contracts';
import { clientTrialNonce, insertAssignments, type NewAssignment, partitionOfExperiment } from '@bandit/db';
import { forEachStore, type TestDatabase } from '@bandit/db/testing';
import t, { type Test } from 'tap';
import { type Instance, startInstance } from '../services/assignment/test/harness.ts';
import { createAcceptRuntime } from '../services/ingest/src/index.ts';
import { rebuildExperiment } from '../services/ingest/src/learner/rebuild-experiment.ts';
import { createFolder, foldEverything, pause } from '../services/ingest/test/fixtures/learning.ts';
import { readEverything } from '../services/ingest/test/fixtures/rebuilding.ts';
import { codec, createHarness, type Tenant } from '../services/management/test/harness.ts';
import { findHits, rowsOfCompany } from '../services/management/test/subjects/dump-tables.ts';

t.setTimeout(300_000);

const userId = 'ada.lovelace@example.com';
const secret = 'a-word-of-her-own';

/** A company with two instances of assignment, an accept runtime and a learner. */
async function createPlatform(t: Test, store: TestDatabase) {
  const harness = await createHarness(t, store);
  const { db } = store;
  const tenant = await harness.tenant();
  const clock = { nowMs: Date.now() };
  const cache = createInProcessCache({ nowMs: () => clock.nowMs, entriesMax: 1_000 });
  const start = () =>
    startInstance(t, db, { companyId: tenant.companyId, clock, ids: codec, cache, bus: harness.bus });
  const instances = [await start(), await start()] as const;
  const { directory } = instances[0];
  const accept = createAcceptRuntime({
    db,
    bus: harness.bus,
    ids: codec,
    findExperiment: directory.findExperiment,
    confirmConfiguration: directory.confirm,
    nowMs: () => Date.now(),
    randomBytes,
    retentionMs: undefined,
  });
  t.teardown(() => accept.close());
  const fold = createFolder(db);
  return {
    harness,
    db,
    tenant,
    clock,
    cache,
    instances,
    accept: async (event: TrackEvent) => {
      const [result] = await accept.accept(tenant.companyId, [event]);
      if (result !== undefined && 'event' in result) return 'created';
      return (result as { error: { code?: string } }).error.code;
    },
    learn: () => foldEverything(db, fold),
    /** What a process starts from that has seen the last change of configuration. */
    reload: () => Promise.all(instances.map((instance) => instance.directory.poll())),
  };
}

type Platform = Awaited<ReturnType<typeof createPlatform>>;

/** As the route does, with a context. */
async function assign(platform: Platform, instance: Instance, experiment: Experiment, user: string) {
  const found = instance.directory.findExperiment(platform.tenant.companyId, experiment.id)!;
  const context = {
    device: user.length % 2 ? 'mobile' : 'desktop',
    age: user.length,
    note: `${user} ${secret}`,
  };
  const { assigner } = instance.runtime;
  return (
    assigner.findKnown(found, user) ?? (await assigner.assign({ experiment: found, userId: user, context }))
  );
}

const erase = (tenant: Tenant, user = userId) =>
  tenant.call('DELETE', `/subjects/${encodeURIComponent(user)}`);

await t.test('an erased user is gone, and what was counted and learned stays', async (t) => {
  await forEachStore(t, async (t, store) => {
    const platform = await createPlatform(t, store);
    const { tenant, db, instances, accept, learn, clock, cache } = platform;
    const { companyId } = tenant;
    const linear = await tenant.activeExperiment({ algorithm: 'LINEAR_CONTEXTUAL' });
    const neural = await tenant.activeExperiment({ algorithm: 'NEURAL_CONTEXTUAL' });
    const thompson = await tenant.activeExperiment({});
    const own = await tenant.activeExperiment({ name: 'assigned by the client' });
    const all = [linear, neural, thompson, own];
    await platform.reload();
    const funnel = await tenant.call('POST', '/funnels', { name: 'F', experimentIds: [linear.id, own.id] });
    t.equal(funnel.status, 201, funnel.text);
    const reward = (user = userId) =>
      tenant.call('POST', `/funnels/${funnel.body.data.id}/reward`, { userId: user, value: 3 });

    const old = new Map<string, string>();
    for (const user of ['u1', 'u22', userId, 'u333']) {
      for (const experiment of [linear, neural, thompson]) {
        const { assignmentId } = await assign(platform, instances[0], experiment, user);
        await assign(platform, instances[1], experiment, user);
        if (user === userId) old.set(experiment.id, assignmentId);
        const metadata = { who: `${user} ${secret}` };
        t.equal(await accept({ assignmentId, eventType: 'CONVERSION', value: 1, metadata }), 'created');
        const eventId = `${user}/${experiment.id}/click`;
        t.equal(await accept({ assignmentId, eventType: 'CLICK', eventId, metadata }), 'created');
      }
      const triplet = { experimentId: own.id, treatmentId: own.treatments[0]!.id, userId: user };
      const eventId = `${user}/own`;
      t.equal(await accept({ ...triplet, eventType: 'VIEW', metadata: { who: user } }), 'created', 'alone');
      t.equal(
        await accept({ ...triplet, eventType: 'ASSIGNMENT', eventId, metadata: { who: user } }),
        'created',
      );
      t.equal(await accept({ ...triplet, eventType: 'CONVERSION' }), 'created');
      t.equal((await reward(user)).status, 200);
    }
    const other = await platform.harness.tenant();
    const foreign = await other.activeExperiment({});
    await insertForeign(db, other.companyId, foreign);
    await learn();

    const before = await Promise.all(all.map(({ id }) => readEverything(db, { experimentId: id })));
    const resultsBefore = await readResults(tenant, all);
    const othersBefore = await rowsOfCompany(db, other.companyId);
    const neighboursBefore = await rowsOfUsers(db, companyId);
    t.not(await findHits(db, companyId, [userId]), [], 'it was there');

    const answer = await erase(tenant);
    t.equal(answer.status, 200, answer.text);
    const receipt = answer.body.data;
    t.match(receipt.erased, { assignments: 4, currentAssignments: 3, events: 10, funnelRewards: 1 });
    t.ok(receipt.erased.eventKeys >= 3 + 1 + 2 + 2, 'client ids, rewards, client-made identities');
    t.match(receipt.subject, /^[0-9a-f]{64}$/);
    t.notMatch(answer.text, userId);

    await t.test('nothing of the user is left in any table', async (t) => {
      const nonce = clientTrialNonce(companyId, own.id, own.treatments[0]!.id, userId);
      const hits = await findHits(db, companyId, [userId, `${userId} ${secret}`, nonce.toString('hex')]);
      t.strictSame(hits, []);
      const contexts = await db
        .selectFrom('assignments')
        .select('context')
        .where('company_id', '=', companyId)
        .where('context', 'is not', null)
        .execute();
      t.equal(contexts.length, 9, 'of the others');
      t.strictSame(
        await rowsOfCompany(db, other.companyId),
        othersBefore,
        'another company has the same user',
      );
      t.strictSame(await rowsOfUsers(db, companyId), neighboursBefore);
    });

    await t.test('counts, results and rebuilds are equal', async (t) => {
      t.strictSame(await readResults(tenant, all), resultsBefore);
      for (const [i, { id: experimentId }] of all.entries()) {
        const now = await readEverything(db, { experimentId });
        t.same(now.state, before[i]!.state);
        t.same(now.days, before[i]!.days);
        t.same(rewardsOf(now), rewardsOf(before[i]!));
        await rebuildExperiment({ db, pause, makeToken: () => experimentId }, { companyId, experimentId });
        const rebuilt = await readEverything(db, { experimentId });
        t.ok(Buffer.from(rebuilt.state.state).equals(Buffer.from(before[i]!.state.state)), 'bit for bit');
        t.same(rebuilt.outcomes, now.outcomes);
        t.same(rebuilt.days, now.days);
      }
    });

    await t.test('what comes late does not bring the user back', async (t) => {
      for (const assignmentId of old.values()) {
        for (const eventType of ['ASSIGNMENT', 'CONVERSION', 'VIEW'] as const)
          t.equal(await accept({ assignmentId, eventType }), 'ASSIGNMENT_NOT_FOUND');
      }
      for (const { id, treatments } of all) {
        for (const eventType of ['ASSIGNMENT', 'CONVERSION', 'CUSTOM'] as const) {
          const triplet = { experimentId: id, treatmentId: treatments[1]!.id, userId };
          t.equal(
            await accept({ ...triplet, eventType, eventId: `late ${eventType} ${id}` }),
            'ASSIGNMENT_NOT_FOUND',
          );
        }
      }
      t.equal((await reward()).status, 404);
      const late = rowOf(companyId, thompson, clock.nowMs);
      const { recorder } = instances[0].runtime;
      t.strictSame(await recorder.bringIn([late]), [{ kind: 'erased' }], 'a record of an outage');
      t.equal((await insertAssignments(db, [late], codec.hashSubject)).size, 0, 'a commit on its way');
      t.equal(
        await accept({ assignmentId: codec.sign(late), eventType: 'CONVERSION' }),
        'ASSIGNMENT_NOT_FOUND',
      );
      t.strictSame(await findHits(db, companyId, [userId]), []);
      const listed = await tenant.call('GET', `/events/${thompson.id}`);
      t.notMatch(listed.text, userId);
      type Listed = { metadata: { assignmentId: string } };
      const ids = listed.body.data.map(({ metadata }: Listed) => metadata.assignmentId);
      const pseudonymous = ids.filter((id: string) => codec.verify(id)?.userId.startsWith('erased_'));
      t.ok(pseudonymous.length > 0);
      for (const assignmentId of pseudonymous)
        t.equal(
          await accept({ assignmentId, eventType: 'VIEW' }),
          'ASSIGNMENT_NOT_FOUND',
          'nor the pseudonym',
        );
    });

    await t.test('memory and the shared cache have forgotten', async (t) => {
      for (const { id } of [linear, neural, thompson]) {
        const key = assignmentCacheKey(companyId, id, userId);
        await until(async () => (await cache.find(key)) === undefined);
        for (const instance of instances) {
          const experiment = instance.directory.findExperiment(companyId, id)!;
          await until(async () => instance.runtime.assigner.findKnown(experiment, userId) === undefined);
          t.ok(instance.runtime.assigner.findKnown(experiment, 'u1'), 'nobody else is forgotten');
        }
        cache.put(key, old.get(id)!, 60_000);
      }
    });

    await t.test('whoever comes back is somebody else', async (t) => {
      clock.nowMs = Date.parse(receipt.erasedAt) + 100;
      for (const instance of instances) {
        const { assignmentId } = await assign(platform, instance, thompson, userId);
        t.not(assignmentId, old.get(thompson.id), 'not what a cache still has');
        t.ok(codec.verify(assignmentId)!.assignedAtMs > Date.parse(receipt.erasedAt));
      }
      const { assignmentId } = await assign(platform, instances[0], thompson, userId);
      t.equal(await accept({ assignmentId, eventType: 'CONVERSION' }), 'created');
      const { assignmentId: joined } = await assign(platform, instances[0], linear, userId);
      t.equal(await accept({ assignmentId: joined, eventType: 'CLICK' }), 'created');
      t.equal((await reward()).status, 200);
      await learn();
    });

    await t.test('again, and of nobody', async (t) => {
      await until(async () => Date.now() > clock.nowMs + 10);
      const again = await erase(tenant);
      t.equal(again.status, 200, again.text);
      t.match(again.body.data.erased, { assignments: 2, events: 3, funnelRewards: 1 });
      const third = await erase(tenant);
      const zeros = { assignments: 0, currentAssignments: 0, events: 0, eventKeys: 0, funnelRewards: 0 };
      t.strictSame(third.body.data.erased, zeros);
      t.equal(third.body.data.subject, receipt.subject);
      const unknown = await erase(tenant, 'nobody at all');
      const onlyThere = await erase(tenant, 'only-there');
      t.equal(unknown.status, 200);
      t.strictSame(
        { ...onlyThere.body.data, subject: '', erasedAt: '' },
        { ...unknown.body.data, subject: '', erasedAt: '' },
        "another company's user is nobody",
      );
      t.strictSame(await rowsOfCompany(db, other.companyId), othersBefore);
      t.strictSame(await findHits(db, companyId, [userId]), []);
      const log = await tenant.call('GET', '/audit-log');
      const rows = log.body.data.filter((row: { action: string }) => row.action === 'subject.erase');
      t.equal(rows.length, 5);
      t.equal(rows.at(-1).target, receipt.subject);
      t.notMatch(log.text, userId);
    });
  });
});

await t.test('an erasure waits for what is not learned yet', async (t) => {
  await forEachStore(t, async (t, store) => {
    const platform = await createPlatform(t, store);
    const experiment = await platform.tenant.activeExperiment({ algorithm: 'LINEAR_CONTEXTUAL' });
    await platform.reload();
    await assign(platform, platform.instances[0], experiment, userId);
    const erasing = erase(platform.tenant);
    await until(async () => (await store.db.selectFrom('erased_subjects').selectAll().execute()).length > 0);
    t.equal(
      (await findHits(store.db, platform.tenant.companyId, [secret])).length > 0,
      true,
      'kept until then',
    );
    await platform.learn();
    const answer = await erasing;
    t.equal(answer.status, 200, answer.text);
    t.equal(answer.body.data.erased.assignments, 1);
    t.strictSame(await findHits(store.db, platform.tenant.companyId, [userId, secret]), []);
  });
});

await t.test('writers at the same time bring nothing back', async (t) => {
  await forEachStore(t, async (t, store) => {
    const platform = await createPlatform(t, store);
    const { tenant, db, clock, accept, instances } = platform;
    const { companyId } = tenant;
    const experiments = [await tenant.activeExperiment({}), await tenant.activeExperiment({})];
    await platform.reload();
    const [first, second] = experiments as [Experiment, Experiment];
    const ids: string[] = [];
    for (const experiment of experiments)
      ids.push((await assign(platform, instances[0], experiment, userId)).assignmentId);
    const funnel = await tenant.call('POST', '/funnels', { name: 'F', experimentIds: [first.id, second.id] });
    const stop = new AbortController();
    let n = 0;
    const repeat = async (work: () => Promise<unknown>) => {
      while (!stop.signal.aborted) {
        await work();
        n++;
      }
    };
    const triplet = { experimentId: second.id, treatmentId: second.treatments[0]!.id, userId };
    const writers = [
      repeat(() =>
        accept({
          assignmentId: ids[0]!,
          eventType: 'CLICK',
          eventId: `c${n}-${randomBytes(4).toString('hex')}`,
        }),
      ),
      repeat(() =>
        accept({ ...triplet, eventType: 'CUSTOM', eventId: `t${randomBytes(8).toString('hex')}` }),
      ),
      repeat(() => insertAssignments(db, [rowOf(companyId, first, clock.nowMs)], codec.hashSubject)),
      repeat(() =>
        accept({ assignmentId: codec.sign(rowOf(companyId, first, clock.nowMs)), eventType: 'VIEW' }),
      ),
      repeat(() => tenant.call('POST', `/funnels/${funnel.body.data.id}/reward`, { userId, value: 1 })),
      // Client-made assignments have to be learned before they are given another nonce.
      repeat(() => platform.learn()),
    ];
    await until(async () => n > 30);
    const answer = await erase(tenant);
    t.equal(answer.status, 200, answer.text);
    const after = n;
    await until(async () => n > after + 30);
    stop.abort();
    await Promise.all(writers);
    t.strictSame(await findHits(db, companyId, [userId]), []);
  });
});

function rowOf(companyId: string, experiment: Experiment, assignedAtMs: number): NewAssignment {
  return {
    companyId,
    experimentId: experiment.id,
    treatmentId: experiment.treatments[0]!.id,
    partition: partitionOfExperiment(experiment.id),
    userId,
    nonce: randomBytes(16),
    assignedAtMs,
    expiresAtMs: assignedAtMs,
    propensity: 0.5,
    confidence: 0.5,
    stateVersion: 0,
    predictions: undefined,
    context: { note: secret },
    macKeyId: codec.currentKeyId,
    isSticky: false,
    droppedNonce: undefined,
  };
}

async function insertForeign(
  db: TestDatabase['db'],
  companyId: string,
  experiment: Experiment,
): Promise<void> {
  const row = rowOf(companyId, experiment, Date.now() - 60_000);
  const sticky = { ...row, isSticky: true, expiresAtMs: row.assignedAtMs + 86_400_000 };
  await insertAssignments(db, [sticky], codec.hashSubject);
  await insertAssignments(
    db,
    [{ ...sticky, userId: 'only-there', nonce: randomBytes(16) }],
    codec.hashSubject,
  );
}

/** Whatever the nonces are. */
function rewardsOf({ outcomes }: Awaited<ReturnType<typeof readEverything>>): string[] {
  return outcomes.map(({ nonce: _, ...outcome }) => JSON.stringify(outcome)).sort();
}

async function readResults(tenant: Tenant, experiments: readonly Experiment[]): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const { id } of experiments) {
    const { body } = await tenant.call('GET', `/experiments/${id}/results`);
    const events = await tenant.call('GET', `/events/${id}`);
    results.push(body.data.totals, body.data.treatments, events.headers['x-total-count']);
  }
  return results;
}

async function rowsOfUsers(db: TestDatabase['db'], companyId: string): Promise<unknown> {
  const of = (table: 'assignments' | 'events' | 'current_assignments' | 'funnel_rewards') =>
    db
      .selectFrom(table)
      .selectAll()
      .where('company_id', '=', companyId)
      .where('user_id', 'in', ['u1', 'u22', 'u333'])
      .execute();
  const tables = await Promise.all([
    of('assignments'),
    of('events'),
    of('current_assignments'),
    of('funnel_rewards'),
  ]);
  return tables.map((rows) => rows.map((row) => JSON.stringify(row)).sort());
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (
    const endMs = Date.now() + 60_000;
    !(await isSo());
    await new Promise((resolve) => setTimeout(resolve, 5))
  )
    if (Date.now() > endMs) throw new Error('it did not come true within 60 s');
}
