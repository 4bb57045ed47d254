/** What clients are told while stores are away, alone and together, on several processes. */
import { createInProcessCache } from '@bandit/cache';
import { limits } from '@bandit/contracts';
import { createTestDatabase } from '@bandit/db/testing';
import t, { type Test } from 'tap';
import { createFakeRecordStream } from './fake-record-stream.ts';
import {
  addCompany,
  addExperiment,
  bumpConfig,
  type Instance,
  type InstanceOptions,
  recordedAssignments,
  removeTreatment,
  startInstance,
  treatmentId,
} from './harness.ts';
import { createStoreSwitch } from './store-switch.ts';

const startMs = 1_790_000_000_000;
const { db } = await createTestDatabase(t);
const tenWays = { weights: Array(10).fill(1) };

async function createWorld(t: Test) {
  const companyId = await addCompany(db);
  const clock = { nowMs: startMs };
  const database = createStoreSwitch(db);
  const records = createFakeRecordStream();
  const cache = createInProcessCache({ nowMs: () => clock.nowMs, entriesMax: 1_000 });
  const start = (change: Partial<InstanceOptions> = {}) =>
    startInstance(t, db, {
      companyId,
      clock,
      store: database.store,
      records,
      cache,
      isCacheShared: true,
      ...change,
    });
  return { companyId, clock, database, records, cache, start };
}

/** What RECORDS must fail for before nobody waits for it. */
const failingMs = limits.recordPutFailuresWindowMs;

const ask = async (instance: Instance, experimentId: string, userId: string) => {
  const { status, headers, body } = await instance.post({ experimentId, userId });
  return {
    status,
    recorded: headers['x-recorded'],
    retryAfter: headers['retry-after'],
    id: body.data?.assignmentId as string,
    treatment: body.data?.treatment?.id as string,
  };
};

t.test('an answer is on record as soon as RECORDS or the database has it', async (t) => {
  const { companyId, clock, database, records, start } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, tenWays);
  const instance = await start();
  const { recorder } = instance.runtime;
  database.setAway(true);
  t.match(await ask(instance, experimentId, 'kept'), { status: 200, recorded: undefined });
  records.setAway(true);
  const answers = [];
  for (const userId of ['a', 'b', 'c', 'd']) {
    answers.push(await ask(instance, experimentId, userId));
    clock.nowMs += failingMs;
  }
  t.ok(answers.every(({ status, recorded }) => status === 200 && recorded === 'false'));
  t.match(await ask(instance, experimentId, 'a'), { id: answers[0]!.id, recorded: 'false' });
  const metrics = await instance.registry.metrics();
  t.match(metrics, /store_away\{store="database"\} 1\n/);
  t.match(metrics, /store_away\{store="records"\} 1\n/);
  t.match(metrics, /assignment_unrecorded 5\n/);
  t.match(metrics, /records_kept Nan/i);
  t.match(metrics, /record_puts_total\{outcome="kept"\} 1\n/);
  records.setAway(false);
  await recorder.probeRecords();
  t.match(await ask(instance, experimentId, 'a'), { id: answers[0]!.id, recorded: undefined });
  t.match(await instance.registry.metrics(), /records_kept 5\n/);
  t.match(await ask(await start(), experimentId, 'a'), { id: answers[0]!.id, recorded: undefined });
  records.setAway(true);
  t.match(await ask(instance, experimentId, 'late'), { recorded: 'false' });
  database.setAway(false);
  await recorder.probe();
  t.match(await ask(instance, experimentId, 'late'), { recorded: undefined });
  t.equal((await recordedAssignments(db, experimentId)).length, 6);
});

t.test('with memory full RECORDS is enough; with neither it is 503, and nothing was claimed', async (t) => {
  const { companyId, clock, database, records, start } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, tenWays);
  const instance = await start({ unrecordedMax: 2 });
  database.setAway(true);
  const users = ['a', 'b', 'c', 'd'];
  const answers = [];
  for (const userId of users) answers.push(await ask(instance, experimentId, userId));
  t.ok(answers.every(({ status, recorded }) => status === 200 && recorded === undefined));
  t.equal(instance.runtime.recorder.nUnrecorded(), 2);
  t.equal(records.kept.length, 4);
  records.setAway(true);
  // The first ones find out; then the breaker knows.
  for (let i = 0; i < 3; i++) {
    t.match(await ask(instance, experimentId, `lost ${i}`), { status: 503, retryAfter: '1' });
    clock.nowMs += failingMs;
  }
  t.equal(instance.runtime.recorder.areRecordsAway(), true);
  t.match(await ask(instance, experimentId, 'e'), { status: 503, retryAfter: '1' });
  t.match(await ask(instance, experimentId, 'a'), { status: 200, id: answers[0]!.id });
  const other = await start({ unrecordedMax: 2 });
  t.match(await instance.registry.metrics(), /claims_total\{outcome="won"\} 7\n/, 'e was not claimed');
  records.setAway(false);
  t.match(await ask(other, experimentId, 'e'), { status: 200, recorded: undefined });
  database.setAway(false);
  await instance.runtime.recorder.probe();
  await records.pump();
  t.equal((await recordedAssignments(db, experimentId)).length, 5, 'what memory had no room for came in too');
  t.match(await ask(instance, experimentId, 'd'), { id: answers[3]!.id, recorded: undefined });
});

t.test('with every store away answers do not wait for any', async (t) => {
  const { companyId, clock, database, records, cache, start } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, tenWays);
  const instances = [await start(), await start()];
  database.setAway(true);
  const resume = records.hang();
  await cache.close();
  const first: Awaited<ReturnType<typeof ask>>[] = [];
  for (let i = 0; i < 20; i++) {
    first.push(await ask(instances[i % 2]!, experimentId, `u${i}`));
    clock.nowMs += failingMs;
  }
  t.ok(first.every(({ status, recorded }) => status === 200 && recorded === 'false'));
  t.ok(instances.every(({ runtime }) => runtime.recorder.areRecordsAway()));
  const nPuts = records.nPuts();
  const second = await Promise.all(
    Array.from({ length: 20 }, (_, i) => ask(instances[(i + 1) % 2]!, experimentId, `u${i}`)),
  );
  t.equal(records.nPuts(), nPuts);
  t.same(
    second.map(({ treatment }) => treatment),
    first.map(({ treatment }) => treatment),
    'and processes draw alike',
  );
  resume();
});

t.test('first requests at two processes make one assignment, whatever the cache held', async (t) => {
  for (const held of ['nothing', 'removed treatment', 'expired', 'garbage']) {
    const { companyId, clock, database, cache, start } = await createWorld(t);
    const experimentId = await addExperiment(db, companyId, { weights: [1, 1e-6, 1e-6, 1e-6], ttl: 60 });
    const before = await ask(await start(), experimentId, 'u');
    const key = `assignment:${companyId}:${experimentId}:u`;
    if (held === 'removed treatment') {
      await removeTreatment(db, experimentId, 0);
      await bumpConfig(db, companyId);
    } else if (held === 'expired') {
      clock.nowMs += 60_000;
      cache.put(key, before.id, 60_000);
    } else {
      await cache.remove([key]);
      if (held === 'garbage') cache.put(key, 'garbage', 60_000);
    }
    const pair = [await start(), await start()];
    database.setAway(true);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => ask(pair[i % 2]!, experimentId, 'u')),
    );
    t.equal(new Set(answers.map(({ id }) => id)).size, 1, held);
    t.not(answers[0]!.id, before.id, held);
    if (held === 'removed treatment') t.not(answers[0]!.treatment, treatmentId(experimentId, 0));
    t.match(await ask(await start(), experimentId, 'u'), { id: answers[0]!.id }, held);
    database.setAway(false);
  }
});

t.test('processes that do not all know yet that the database is back make one assignment', async (t) => {
  const { companyId, database, clock, records, start } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, tenWays);
  const pair = [await start(), await start()] as const;
  database.setAway(true);
  await Promise.all(pair.map((instance) => ask(instance, experimentId, 'notices')));
  database.setAway(false);
  await pair[0].runtime.recorder.probe();
  t.strictSame(
    pair.map(({ runtime }) => runtime.recorder.isAway()),
    [false, true],
  );
  const users = Array.from({ length: 40 }, (_, i) => `u${i}`);
  const idsOf = (userId: string) =>
    Promise.all(pair.map(async (instance) => (await ask(instance, experimentId, userId)).id));
  const answers = await Promise.all(users.map(idsOf));
  t.strictSame(
    answers.filter(([one, other]) => one !== other),
    [],
  );
  await pair[1].runtime.recorder.probe();
  await records.pump();
  clock.nowMs += limits.databaseReturnMs;
  t.strictSame(await Promise.all(users.map(idsOf)), answers, 'nor does anybody move afterwards');
  const recorded = (await recordedAssignments(db, experimentId)).length;
  t.equal(recorded, users.length + 1, 'each is on record once');
});

t.test('what was claimed just after the return stays what it is when the database goes again', async (t) => {
  const { companyId, database, records, start } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, tenWays);
  const instance = await start();
  database.setAway(true);
  await ask(instance, experimentId, 'notices');
  database.setAway(false);
  await instance.runtime.recorder.probe();
  database.setAway(true);
  const { id } = await ask(instance, experimentId, 'u');
  database.setAway(false);
  await instance.runtime.recorder.probe();
  await records.pump();
  t.equal((await ask(instance, experimentId, 'u')).id, id);
  t.equal((await recordedAssignments(db, experimentId)).length, 2, 'and is brought in');
});

t.test('a shared cache that comes back empty changes nobody’s treatment', async (t) => {
  const { companyId, database, cache, start } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, tenWays);
  const pair = [await start(), await start()];
  const users = Array.from({ length: 20 }, (_, i) => `u${i}`);
  const idsOf = async (instances: readonly Instance[]) =>
    (
      await Promise.all(users.map((userId, i) => ask(instances[i % instances.length]!, experimentId, userId)))
    ).map(({ id }) => id);
  const before = await idsOf(pair);
  const empty = () =>
    cache.remove(users.map((userId) => `assignment:${companyId}:${experimentId}:${userId}`));
  await empty();
  t.same(await idsOf(pair), before, 'from memory');
  await empty();
  t.same(await idsOf([...pair].reverse()), before, 'from the database');
  await empty();
  t.same(await idsOf([await start()]), before, 'and by a process that knows nothing');
  database.setAway(true);
  await empty();
  t.same(await idsOf(pair), before, 'from memory, with the database away too');
});

t.test('what came first in a cache that emptied meanwhile is settled by the database', async (t) => {
  const { companyId, database, records, cache, start } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, tenWays);
  const pair = [await start(), await start()] as const;
  database.setAway(true);
  const first = await ask(pair[0], experimentId, 'u');
  await cache.remove([`assignment:${companyId}:${experimentId}:u`]);
  const second = await ask(pair[1], experimentId, 'u');
  t.not(second.id, first.id, 'another nonce');
  t.equal(second.treatment, first.treatment, 'but the draw is the same on all');
  database.setAway(false);
  await Promise.all(pair.map(({ runtime }) => runtime.recorder.probe()));
  await records.pump();
  const [row, ...more] = await recordedAssignments(db, experimentId);
  t.equal(more.length, 0);
  const settled = await Promise.all(pair.map((instance) => ask(instance, experimentId, 'u')));
  t.equal(new Set(settled.map(({ id }) => id)).size, 1);
  t.equal(settled[0]!.treatment, row!.treatment_id);
});

t.test('a start needs neither cache nor bus, and an end waits for neither', async (t) => {
  const { companyId, cache, start } = await createWorld(t);
  const experimentId = await addExperiment(db, companyId, tenWays);
  await cache.close();
  const never = new Promise<never>(() => undefined);
  const absent = { put: () => never, drain: () => never, nKept: () => undefined, isDrained: () => never };
  const refusing = { ...absent, drain: () => Promise.reject(new Error('the bus is away')) };
  for (const records of [absent, refusing]) {
    const instance = await start({ records });
    t.equal(instance.runtime.isReady(), true);
    t.match(await ask(instance, experimentId, 'u'), { status: 200, recorded: undefined });
    await instance.runtime.close();
  }
});
