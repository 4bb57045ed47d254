import { createInProcessCache } from '@bandit/cache';
import type { AssignmentCache } from '@bandit/contracts';
import { createTestDatabase } from '@bandit/db/testing';
import t from 'tap';
import {
  addCompany,
  addExperiment,
  bumpConfig,
  type Instance,
  type InstanceOptions,
  ids,
  recordedAssignments,
  removeTreatment,
  startInstance,
  treatmentId,
} from './harness.ts';
import { createStoreSwitch } from './store-switch.ts';

const startMs = 1_790_000_000_000;
const store = await createTestDatabase(t);
const { db } = store;
const tenWays = { weights: Array(10).fill(1) };

async function createWorld(t: import('tap').Test) {
  const companyId = await addCompany(db);
  const clock = { nowMs: startMs };
  const database = createStoreSwitch(db);
  const cache = createInProcessCache({ nowMs: () => clock.nowMs, entriesMax: 1_000 });
  const start = (change: Partial<InstanceOptions> = {}) =>
    startInstance(t, db, { companyId, clock, store: database.store, ...change });
  const startPair = async (change: Partial<InstanceOptions> = {}) =>
    (await Promise.all([start(change), start(change)])) as [Instance, Instance];
  return { companyId, clock, database, cache, start, startPair };
}

const brokenCache: AssignmentCache = {
  find: async () => undefined,
  put: () => undefined,
  remove: async () => {
    throw new Error('the cache is away');
  },
  claim: async () => {
    throw new Error('the cache is away');
  },
  isConnected: () => true,
  close: async () => undefined,
};

const ask = async (instance: Instance, experimentId: string, userId: string) => {
  const { status, headers, body } = await instance.post({ experimentId, userId });
  return {
    status,
    recorded: headers['x-recorded'],
    id: body.data?.assignmentId as string,
    treatment: body.data?.treatment.id as string,
  };
};

t.test('with the database away the shared cache arbitrates, and records come in later', async (t) => {
  const { companyId, database, cache, startPair } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, tenWays);
  const [one, two] = await startPair({ cache, isCacheShared: true });
  database.setAway(true);
  const users = Array.from({ length: 10 }, (_, i) => `u${i}`);
  const first = await Promise.all(users.map((userId) => ask(one, experimentId, userId)));
  const second = await Promise.all(users.map((userId) => ask(two, experimentId, userId)));
  t.ok(first.every(({ status, recorded }) => status === 200 && recorded === 'false'));
  t.same(
    second.map(({ id }) => id),
    first.map(({ id }) => id),
  );
  t.match(await ask(one, experimentId, 'u0'), { id: first[0]!.id, recorded: 'false' });
  t.equal((await recordedAssignments(db, experimentId)).length, 0);
  t.match(await one.registry.metrics(), /bandit_assignment_store_away\{store="database"\} 1\n/);
  database.setAway(false);
  await Promise.all([one.runtime.recorder.probe(), two.runtime.recorder.probe()]);
  const rows = await recordedAssignments(db, experimentId);
  t.same(
    new Set(rows.map((row) => row.nonce.toString('hex'))),
    new Set(first.map(({ id }) => Buffer.from(ids.verify(id)!.nonce).toString('hex'))),
    'each once, with the nonce of its id',
  );
  t.match(await ask(one, experimentId, 'u0'), { id: first[0]!.id, recorded: undefined });
});

t.test('simultaneous first requests agree through the shared cache alone', async (t) => {
  const { companyId, database, cache, startPair } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, tenWays);
  const pair = await startPair({ cache, isCacheShared: true });
  database.setAway(true);
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) => ask(pair[i % 2]!, experimentId, 'u')),
  );
  t.equal(new Set(answers.map(({ id }) => id)).size, 1);
});

t.test('with the cache away too instances draw alike, with the exact propensity', async (t) => {
  const { companyId, database, startPair } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, { weights: [1, 2, 3, 4] });
  const [one, two] = await startPair({ cache: brokenCache, isCacheShared: true });
  database.setAway(true);
  const users = Array.from({ length: 40 }, (_, i) => `u${i}`);
  // The first request finds the database away: nothing was sent, so it draws alike as well.
  const first = await Promise.all(users.map((userId) => ask(one, experimentId, userId)));
  const second = await Promise.all(users.map((userId) => ask(two, experimentId, userId)));
  t.same(
    second.map(({ treatment }) => treatment),
    first.map(({ treatment }) => treatment),
  );
  t.ok(new Set(first.map(({ treatment }) => treatment)).size > 1, 'and not all the same');
  for (const { id, treatment } of first) {
    const share = [0.1, 0.2, 0.3, 0.4][
      [0, 1, 2, 3].findIndex((i) => treatmentId(experimentId, i) === treatment)
    ];
    t.ok(Math.abs(ids.verify(id)!.propensity! - share!) < 1e-12);
  }
  database.setAway(false);
  await one.runtime.recorder.probe();
  await two.runtime.recorder.probe();
  t.equal((await recordedAssignments(db, experimentId)).length, 40, 'never a second trial');
  const settled = await Promise.all(users.map((userId) => ask(two, experimentId, userId)));
  t.same(
    settled.map(({ id }) => id),
    first.map(({ id }) => id),
    'the database decided',
  );
  t.ok(settled.every(({ recorded }) => recorded === undefined));
});

t.test('a commit whose answer was lost counts once, and the user keeps the treatment', async (t) => {
  const { companyId, database, start } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, tenWays);
  const instance = await start();
  database.setLosesAnswers(true);
  const answered = await ask(instance, experimentId, 'u');
  t.match(answered, { status: 200, recorded: 'false' });
  database.setLosesAnswers(false);
  await instance.runtime.recorder.probe();
  const rows = await recordedAssignments(db, experimentId);
  t.equal(rows.length, 1);
  t.equal(rows[0]!.treatment_id, answered.treatment);
  t.match(await ask(await start(), experimentId, 'u'), { id: answered.id, recorded: undefined });
});

t.test('a hung database is not waited for; what was sent stays what was answered', async (t) => {
  const { companyId, database, start } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, tenWays);
  const instance = await start({ commitTimeoutMs: 20 });
  const resume = database.hang();
  const users = Array.from({ length: 5 }, (_, i) => `u${i}`);
  const answered = await Promise.all(users.map((userId) => ask(instance, experimentId, userId)));
  t.ok(answered.every(({ status, recorded }) => status === 200 && recorded === 'false'));
  resume();
  await instance.runtime.recorder.probe();
  const fresh = await start();
  const after = await Promise.all(users.map((userId) => ask(fresh, experimentId, userId)));
  t.same(
    after.map(({ id }) => id),
    answered.map(({ id }) => id),
  );
  t.equal((await recordedAssignments(db, experimentId)).length, users.length);
});

t.test('known users, changes of status and removed treatments go on as ever', async (t) => {
  const { companyId, database, start } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, { weights: [1, 1e-6] });
  const instance = await start();
  const known = await ask(instance, experimentId, 'known');
  const moved = await ask(instance, experimentId, 'moved');
  database.setAway(true);
  t.match(await ask(instance, experimentId, 'known'), { id: known.id, recorded: undefined });
  await removeTreatment(db, experimentId, 0);
  await bumpConfig(db, companyId);
  await instance.directory.poll();
  const redrawn = await ask(instance, experimentId, 'moved');
  t.match(redrawn, { status: 200, treatment: treatmentId(experimentId, 1), recorded: 'false' });
  database.setAway(false);
  await instance.runtime.recorder.probe();
  t.match(await ask(await start(), experimentId, 'moved'), { id: redrawn.id });
  t.not(redrawn.id, moved.id);
});

t.test('with time 0 every request is a new decision here too, each recorded once', async (t) => {
  const { companyId, database, start } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, { ...tenWays, ttl: 0 });
  const instance = await start();
  database.setAway(true);
  const answered = await Promise.all(Array.from({ length: 6 }, () => ask(instance, experimentId, 'u')));
  t.equal(new Set(answered.map(({ id }) => id)).size, 6);
  database.setAway(false);
  await instance.runtime.recorder.probe();
  t.equal((await recordedAssignments(db, experimentId)).length, 6);
});

t.test('an id claimed for a treatment that was removed makes way', async (t) => {
  const { companyId, database, cache, start } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, { weights: [1, 1e-6] });
  const shared = { cache, isCacheShared: true };
  const before = await ask(await start(shared), experimentId, 'u');
  await removeTreatment(db, experimentId, 0);
  await bumpConfig(db, companyId);
  const [one, two] = [await start(shared), await start(shared)];
  database.setAway(true);
  const redrawn = await ask(one, experimentId, 'u');
  t.not(redrawn.id, before.id);
  t.equal((await ask(two, experimentId, 'u')).id, redrawn.id);
});
