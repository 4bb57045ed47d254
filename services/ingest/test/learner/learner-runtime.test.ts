import { createInProcessBus } from '@bandit/bus';
import { type StateMessage, subjects } from '@bandit/contracts';
import { createRng, preparePolicy } from '@bandit/core';
import { type OpenedDatabase, partitionOfExperiment } from '@bandit/db';
import { forEachStore } from '@bandit/db/testing';
import { Registry } from 'prom-client';
import t, { type Test } from 'tap';
import { createAcceptRuntime } from '../../src/accept/accept-runtime.ts';
import { createLearnerMetrics, createLearnerRuntime, type LearnerDeps } from '../../src/index.ts';
import { checkCounts, send } from '../fixtures/learning.ts';
import { countingBytes, createWorld, testIds } from '../fixtures/world.ts';

type Db = OpenedDatabase['db'];
const atMs = Date.UTC(2026, 0, 15, 10);
const clock = () => atMs + performance.now();
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

function startBus(t: Test) {
  const bus = createInProcessBus({ log: silent });
  t.teardown(() => bus.close());
  return bus;
}

function createRuntime(t: Test, db: Db, bus: LearnerDeps['bus'], deps: Partial<LearnerDeps> = {}) {
  const runtime = createLearnerRuntime({
    db,
    bus,
    nowMs: clock,
    log: silent,
    isShared: false,
    randomBytes: countingBytes('learner'),
    ...deps,
  });
  t.teardown(() => runtime.close());
  return runtime;
}

/** Resolves with the first broadcast for which `isWanted` holds. */
async function nextState(
  bus: LearnerDeps['bus'],
  isWanted: (message: StateMessage) => boolean,
): Promise<{ arrived: Promise<StateMessage> }> {
  const { promise, resolve } = Promise.withResolvers<StateMessage>();
  const subscription = await bus.subscribe(subjects.stateAll, (_, payload) => {
    const message = JSON.parse(Buffer.from(payload).toString()) as StateMessage;
    if (!isWanted(message)) return;
    resolve(message);
    void subscription.close();
  });
  return { arrived: promise };
}

async function createScene(
  db: Db,
  companyId: string,
  bus: LearnerDeps['bus'],
  algorithm = 'THOMPSON_SAMPLING',
) {
  const world = await createWorld(db, companyId);
  const experimentId = `${companyId}_e`;
  await world.addExperiment({ id: experimentId, algorithm: algorithm as 'UCB1' });
  const accept = createAcceptRuntime({
    db,
    bus,
    ids: testIds,
    findExperiment: world.findExperiment,
    nowMs: clock,
    randomBytes: countingBytes(companyId),
    retentionMs: undefined,
  });
  return { world, experimentId, accept };
}

await t.test('from the 201 of a conversion to the new policy everywhere', async (t) => {
  await forEachStore(t, async (t, { kind, open }) => {
    const db = open({ max: 6 });
    const bus = startBus(t);
    const { world, experimentId, accept } = await createScene(db, 'l1', bus);
    const registry = new Registry();
    const metrics = createLearnerMetrics(registry);
    const runtime = createRuntime(t, db, bus, { isShared: kind === 'postgres', metrics });
    await runtime.start();
    const arms = [1, 1].map(() => ({ weight: 1, isLive: true }));
    const state = await nextState(bus, (message) => {
      const spec = { algorithm: 'THOMPSON_SAMPLING' as const, config: {} };
      const serving = Buffer.from(message.serving ?? '', 'base64');
      const [a, b] = preparePolicy(spec, serving, arms).pmf(undefined);
      return message.experimentId === experimentId && a! > b! + 0.1;
    });
    const published: string[] = [];
    const isPublished = Promise.withResolvers<void>();
    const wanted = new Set<string>();
    await bus.subscribe(subjects.event('l1'), (_, payload) => {
      published.push(JSON.parse(Buffer.from(payload).toString()).id);
      if (wanted.size === 3 && published.length >= 3) isPublished.resolve();
    });
    const treatment = { experimentId, treatmentId: `${experimentId}_a` };
    for (let i = 0; i < 3; i++) {
      const { id } = await world.assign({ ...treatment, userId: `u${i}`, atMs });
      wanted.add(await send(accept, 'l1', { assignmentId: id, eventType: 'CONVERSION' }));
    }
    const message = await state.arrived;
    t.equal(message.companyId, 'l1');
    await isPublished.promise;
    t.same(published, [...wanted], 'each event once, in order');
    await checkCounts(t, db);
    t.match(await registry.metrics(), /bandit_learner_fold_facts_count \d/);
    t.equal(runtime.isReady(), true);

    await t.test('refresh over the bus answers the version, and calls at one time share a run', async (t) => {
      const payload = Buffer.from(JSON.stringify({ companyId: 'l1', experimentId }));
      const answers = await Promise.all([1, 2, 3].map(() => bus.request(subjects.refresh, payload, 10_000)));
      const versions = answers.map((answer) => JSON.parse(Buffer.from(answer).toString()).version);
      t.equal(new Set(versions).size, 1);
      const row = await db
        .selectFrom('experiment_states')
        .select('version')
        .where('experiment_id', '=', experimentId)
        .executeTakeFirstOrThrow();
      t.equal(row.version, versions[0]);
      const text = await registry.metrics();
      t.match(text, /^bandit_learner_rebuild_seconds_count 1$/m, 'one run, measured once');
      t.match(text, /^bandit_learner_rebuild_failures_total 0$/m);
    });
  });
});

await t.test('two learners share the partitions, and one takes over what the other leaves', async (t) => {
  await forEachStore(t, async (t, { kind, open }) => {
    if (kind === 'pglite') return t.comment('one process owns an embedded database');
    const bus = startBus(t);
    const db = open({ max: 6 });
    const { world, experimentId, accept } = await createScene(db, 'm1', bus);
    const partition = partitionOfExperiment(experimentId);
    const runtimes = [0, 1].map(() =>
      createRuntime(t, open({ max: 6, role: 'bandit_learner' }), bus, { isShared: true, pollMs: 20 }),
    );
    for (const runtime of runtimes) await runtime.start();
    const learn = async (userId: string) => {
      const state = await nextState(bus, (message) => message.experimentId === experimentId);
      const { id } = await world.assign({ experimentId, treatmentId: `${experimentId}_a`, userId, atMs });
      await send(accept, 'm1', { assignmentId: id, eventType: 'CONVERSION' });
      return (await state.arrived).version;
    };
    const first = await learn('u1');
    await runtimes[partition % 2]!.close();
    const second = await learn('u2');
    t.ok(second > first);
    await runtimes[(partition + 1) % 2]!.close();
    await checkCounts(t, db);
  });
});

await t.test('a neural experiment trains beside learning, and the swap is on record', async (t) => {
  await forEachStore(t, async (t, { open }) => {
    const db = open({ max: 6 });
    const bus = startBus(t);
    const { world, experimentId } = await createScene(db, 'n1', bus, 'NEURAL_CONTEXTUAL');
    const registry = new Registry();
    const runtime = createRuntime(t, db, bus, { metrics: createLearnerMetrics(registry) });
    await runtime.start();
    const rng = createRng(7);
    const look = () =>
      db.selectFrom('model_swaps').selectAll().where('experiment_id', '=', experimentId).execute();
    // Trials until the learner asks for a network and has taken it in.
    let n = 0;
    while ((await look()).length === 0 && n < 2_000) {
      n += 1;
      const context = { device: rng.uniform() < 0.5 ? 'mobile' : 'desktop' };
      await world.assign({ experimentId, treatmentId: `${experimentId}_a`, userId: `u${n}`, atMs, context });
    }
    const swaps = await look();
    t.match(swaps[0], { seq: 1, n_steps: Number });
    t.match(await registry.metrics(), /^bandit_learner_training_seconds_count [1-9]/m);
    await checkCounts(t, db);
  });
});
