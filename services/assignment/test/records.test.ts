/** RECORDS on a real database: whatever order things come back in, each assignment is on record once. */
import { randomBytes } from 'node:crypto';
import { createInProcessCache } from '@bandit/cache';
import { assignmentCacheKey, makeId } from '@bandit/contracts';
import { type AcceptItem, acceptEvents, partitionOfExperiment } from '@bandit/db';
import { forEachStore, type TestDatabase } from '@bandit/db/testing';
import t, { type Test } from 'tap';
import { createFakeRecordStream } from './fake-record-stream.ts';
import {
  addCompany,
  addExperiment,
  bumpConfig,
  type InstanceOptions,
  ids,
  recordedAssignments,
  removeTreatment,
  startInstance,
  treatmentId,
} from './harness.ts';
import { createStoreSwitch } from './store-switch.ts';

type Db = TestDatabase['db'];

const startMs = 1_790_000_000_000;
const tenWays = { weights: Array(10).fill(1) };

async function createWorld(t: Test, db: Db) {
  const companyId = await addCompany(db);
  const clock = { nowMs: startMs };
  const database = createStoreSwitch(db);
  const records = createFakeRecordStream();
  const cache = createInProcessCache({ nowMs: () => clock.nowMs, entriesMax: 1_000 });
  const logged: Array<{ details: object; message: string }> = [];
  const note = (details: object, message: string) => void logged.push({ details, message });
  const log = { info: () => undefined, warn: () => undefined, error: note };
  const start = (change: Partial<InstanceOptions> = {}) =>
    startInstance(t, db, {
      companyId,
      clock,
      store: database.store,
      records,
      cache,
      isCacheShared: true,
      log,
      ...change,
    });
  /** A process that answers once while the database is away, and is gone before it is back. */
  const answerAndDie = async (experimentId: string, userId = 'u') => {
    database.setAway(true);
    const instance = await start();
    const { assignmentId } = await instance.assign(experimentId, userId);
    await instance.runtime.close();
    database.setAway(false);
    return assignmentId;
  };
  return { companyId, clock, database, records, cache, logged, start, answerAndDie };
}

const nonceOf = (assignmentId: string) => Buffer.from(ids.verify(assignmentId)!.nonce).toString('hex');

/** An experiment without memory, in another partition: trials are counted by partition and batch. */
async function addElsewhere(db: Db, companyId: string, experimentId: string): Promise<string> {
  for (;;) {
    const id = await addExperiment(db, companyId, { ...tenWays, ttl: 0 });
    if (partitionOfExperiment(id) !== partitionOfExperiment(experimentId)) return id;
  }
}

/** Trials as the learner will read them, by the counts of their batches. */
async function countTrials(db: Db, experimentId: string): Promise<number> {
  const rows = await db
    .selectFrom('fact_batches')
    .selectAll()
    .where('partition', '=', partitionOfExperiment(experimentId))
    .where('batch', 'in', (qb) =>
      qb.selectFrom('assignments').select('batch').where('experiment_id', '=', experimentId),
    )
    .execute();
  return rows.reduce((sum, row) => sum + Number(row.n_assignments), 0);
}

async function currentOf(db: Db, experimentId: string, userId = 'u') {
  const row = await db
    .selectFrom('current_assignments')
    .selectAll()
    .where('experiment_id', '=', experimentId)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return row?.nonce.toString('hex');
}

/** A conversion that came with nothing but its id, as accept hands it to the database. */
function conversionOf(assignmentId: string): AcceptItem {
  const fields = ids.verify(assignmentId)!;
  const { companyId, experimentId, treatmentId, userId, nonce, macKeyId, ...signed } = fields;
  return {
    kind: 'event',
    companyId,
    experimentId,
    treatmentId,
    partition: partitionOfExperiment(experimentId),
    userId,
    eventId: makeId('event', randomBytes(16)),
    eventType: 'CONVERSION',
    value: 1,
    metadata: {},
    occurredAtMs: undefined,
    keys: [randomBytes(16)],
    trialKey: undefined,
    trialEventId: undefined,
    assignment: { nonce, assignedAtMs: signed.assignedAtMs, signed },
    macKeyId,
  };
}

await forEachStore(t, async (t, { db }) => {
  await t.test('another process brings in what a dead one answered', async (t) => {
    const { companyId, database, records, cache, start } = await createWorld(t, db);
    const experimentId = await addExperiment(db, companyId, { ...tenWays, algorithm: 'LINEAR_CONTEXTUAL' });
    database.setAway(true);
    const dying = await start();
    const context = { device: 'mobile', 'a "b"': 'ü\n', n: 0.1, b: false };
    const answer = await dying.post({ experimentId, userId: 'u', context });
    t.equal(answer.status, 200);
    t.equal(answer.headers['x-recorded'], undefined, 'RECORDS keeps it: it is on record');
    await dying.runtime.close();
    const heir = await start();
    database.setAway(false);
    t.equal((await recordedAssignments(db, experimentId)).length, 0);
    await records.pump();
    t.equal(records.kept.length, 0);
    const rows = await recordedAssignments(db, experimentId);
    const id = answer.body.data.assignmentId as string;
    const fields = ids.verify(id)!;
    t.match(rows, [{ source: 'draw', is_first: true, context, propensity: fields.propensity }]);
    t.equal(rows[0]!.nonce.toString('hex'), nonceOf(id));
    t.equal(rows[0]!.assigned_at.getTime(), fields.assignedAtMs);
    t.equal(rows[0]!.state_version, fields.stateVersion);
    t.equal(await currentOf(db, experimentId), nonceOf(id));
    t.equal(await countTrials(db, experimentId), 1);
    t.ok(heir.published.some((subject) => subject === `wake.${rows[0]!.partition}`));
    t.equal(await cache.find(assignmentCacheKey(companyId, experimentId, 'u')), id, 'and settled');
    t.equal((await (await start()).assign(experimentId)).assignmentId, id);
    t.match(await heir.registry.metrics(), /brought_in_total\{source="records",outcome="recorded"\} 1\n/);
  });

  for (const first of ['memory', 'RECORDS', 'both at once']) {
    await t.test(`a row in memory and in RECORDS counts once: ${first} first`, async (t) => {
      const { companyId, database, records, start } = await createWorld(t, db);
      const experimentId = await addExperiment(db, companyId, tenWays);
      const unstickyId = await addElsewhere(db, companyId, experimentId);
      const [one, other] = [await start(), await start()];
      database.setAway(true);
      const users = Array.from({ length: 5 }, (_, i) => `u${i}`);
      const answered = await Promise.all([
        ...users.map((userId) => one.assign(experimentId, userId)),
        ...users.map(() => one.assign(unstickyId, 'u')),
      ]);
      t.equal(records.kept.length, 10);
      t.equal(one.runtime.recorder.nUnrecorded(), 10);
      database.setAway(false);
      t.equal(other.runtime.recorder.isAway(), false, 'it was not asked: its consumer takes from RECORDS');
      if (first === 'memory') await one.runtime.recorder.probe();
      if (first === 'both at once') await Promise.all([one.runtime.recorder.probe(), records.pump()]);
      await records.pump();
      await one.runtime.recorder.probe();
      t.equal(records.kept.length, 0);
      t.equal(one.runtime.recorder.nUnrecorded(), 0);
      for (const id of [experimentId, unstickyId]) {
        const rows = await recordedAssignments(db, id);
        t.equal(rows.length, 5);
        t.equal(await countTrials(db, id), 5);
        t.equal(rows.filter((row) => row.is_first).length, id === experimentId ? 5 : 1);
      }
      t.ok(answered.every(({ standing }) => standing === 'settled' || standing === 'kept'));
    });
  }

  await t.test(
    'who lost to the assignment on record is corrected, here and in the shared cache',
    async (t) => {
      const { companyId, database, records, cache, start } = await createWorld(t, db);
      const experimentId = await addExperiment(db, companyId, tenWays);
      const stands = await (await start()).assign(experimentId);
      const key = assignmentCacheKey(companyId, experimentId, 'u');
      await cache.remove([key]);
      database.setAway(true);
      const [dying, other] = [await start(), await start()];
      const lost = await dying.assign(experimentId);
      t.not(lost.assignmentId, stands.assignmentId);
      t.equal((await other.assign(experimentId)).assignmentId, lost.assignmentId, 'claimed by the first');
      await dying.runtime.close();
      database.setAway(false);
      await other.runtime.recorder.probe();
      await records.pump();
      t.equal(await cache.find(key), stands.assignmentId);
      t.equal((await other.assign(experimentId)).assignmentId, stands.assignmentId);
      t.equal((await recordedAssignments(db, experimentId)).length, 1, 'no trial for the loser');
      t.equal(await countTrials(db, experimentId), 1);
    },
  );

  await t.test('a claimed answer is not given again once the database names another', async (t) => {
    const { companyId, database, cache, start } = await createWorld(t, db);
    const experimentId = await addExperiment(db, companyId, tenWays);
    const stands = await (await start()).assign(experimentId);
    await cache.remove([assignmentCacheKey(companyId, experimentId, 'u')]);
    database.setAway(true);
    const [one, two] = [await start({ records: undefined }), await start({ records: undefined })];
    const lost = await one.assign(experimentId);
    const claimed = await two.assign(experimentId);
    t.match(claimed, { assignmentId: lost.assignmentId, standing: 'unrecorded' });
    t.equal(await two.assign(experimentId), claimed, 'answered from memory while the database is away');
    database.setAway(false);
    await two.runtime.recorder.probe();
    t.match(await two.assign(experimentId), { assignmentId: stands.assignmentId, standing: 'settled' });
  });

  await t.test('an answer that died with its process is recorded by whoever meets it later', async (t) => {
    const { companyId, clock, database, start } = await createWorld(t, db);
    const experimentId = await addExperiment(db, companyId, { ...tenWays, ttl: 3_600 });
    database.setAway(true);
    const dying = await start({ records: undefined });
    const { assignmentId } = await dying.assign(experimentId);
    await dying.runtime.close();
    database.setAway(false);
    const heir = await start({ records: undefined });
    t.match(
      await heir.assign(experimentId),
      { assignmentId, standing: 'unrecorded' },
      'somebody may have it',
    );
    t.equal((await recordedAssignments(db, experimentId)).length, 0);
    clock.nowMs += 60_001;
    t.match(await heir.assign(experimentId), { assignmentId, standing: 'settled' });
    t.match(await recordedAssignments(db, experimentId), [{ user_id: 'u', is_first: true }]);
  });

  await t.test(
    'an assignment that was over before the next is on record whichever comes in first',
    async (t) => {
      for (const isInOrder of [true, false]) {
        const { companyId, clock, database, records, start, answerAndDie } = await createWorld(t, db);
        const experimentId = await addExperiment(db, companyId, { ...tenWays, ttl: 60 });
        const earlier = await answerAndDie(experimentId);
        clock.nowMs += 60_000;
        database.setAway(true);
        const living = await start();
        const later = (await living.assign(experimentId)).assignmentId;
        t.not(later, earlier);
        t.equal(records.kept.length, 2);
        database.setAway(false);
        if (!isInOrder) await living.runtime.recorder.probe();
        const heir = isInOrder ? await start() : living;
        await records.pump();
        await heir.runtime.recorder.probe();
        const rows = await recordedAssignments(db, experimentId);
        t.same(
          rows.map((row) => row.nonce.toString('hex')),
          [earlier, later].map(nonceOf),
        );
        t.equal(rows.filter((row) => row.is_first).length, 1);
        t.equal(await countTrials(db, experimentId), 2);
        t.equal(await currentOf(db, experimentId), nonceOf(later));
        t.equal((await heir.assign(experimentId)).assignmentId, later);
      }
    },
  );

  await t.test('several of one user, answered one after another, all come in from memory', async (t) => {
    const { companyId, clock, database, start } = await createWorld(t, db);
    const experimentId = await addExperiment(db, companyId, { ...tenWays, ttl: 1 });
    database.setAway(true);
    const instance = await start({ records: undefined });
    const given: string[] = [];
    for (let i = 0; i < 8; i++) {
      given.push((await instance.assign(experimentId)).assignmentId);
      clock.nowMs += 1_000;
    }
    database.setAway(false);
    await instance.runtime.recorder.probe();
    const rows = await recordedAssignments(db, experimentId);
    t.same(
      rows.map((row) => row.nonce.toString('hex')),
      given.map(nonceOf),
    );
    t.same(
      rows.map((row) => row.is_first),
      given.map((_, i) => i === 0),
    );
    t.equal(await countTrials(db, experimentId), 8);
  });

  await t.test('one answered without knowing of a removed treatment takes its place', async (t) => {
    const { companyId, records, cache, start, answerAndDie } = await createWorld(t, db);
    const experimentId = await addExperiment(db, companyId, { weights: [1, 1e-6] });
    const removed = await (await start()).assign(experimentId);
    t.equal(removed.treatmentId, treatmentId(experimentId, 0));
    await removeTreatment(db, experimentId, 0);
    await bumpConfig(db, companyId);
    await cache.remove([assignmentCacheKey(companyId, experimentId, 'u')]);
    const given = await answerAndDie(experimentId);
    const heir = await start();
    await records.pump();
    t.equal(await currentOf(db, experimentId), nonceOf(given));
    t.equal((await heir.assign(experimentId)).assignmentId, given);
    t.equal(await countTrials(db, experimentId), 2);
  });

  await t.test(
    'what can never be brought in is named, counted and done; its neighbours come in',
    async (t) => {
      const { companyId, database, records, logged, start, answerAndDie } = await createWorld(t, db);
      const experimentId = await addExperiment(db, companyId, tenWays);
      const good = await answerAndDie(experimentId, 'good');
      const put = (id: string, payload: string) => records.put({ id, payload: Buffer.from(payload) }, 1_000);
      const fields = ids.verify(good)!;
      const unknown = { ...fields, experimentId: 'exp_unknown', nonce: randomBytes(16) };
      await put('garbage', '{"version":1');
      await put('proto', `{"version":1,"assignmentId":"${good}","__proto__":{}}`);
      await put('version', JSON.stringify({ version: 2, assignmentId: good }));
      await put('forged', JSON.stringify({ version: 1, assignmentId: `${good.slice(0, -3)}AAA` }));
      await put('unknown', JSON.stringify({ version: 1, assignmentId: ids.sign(unknown) }));
      await put(
        'nul',
        JSON.stringify({
          version: 1,
          assignmentId: ids.sign({ ...fields, userId: 'nul', nonce: randomBytes(16) }),
          context: { a: '\u0000' },
        }),
      );
      const other = await answerAndDie(experimentId, 'other');
      const heir = await start();
      database.setAway(true);
      await records.pump();
      t.equal(records.kept.length, 8, 'away: nothing is done with');
      t.equal(heir.runtime.recorder.isAway(), true, 'and nothing more is taken before a probe');
      database.setAway(false);
      await heir.runtime.recorder.probe();
      await records.pump();
      t.equal(records.kept.length, 0);
      t.same(
        new Set((await recordedAssignments(db, experimentId)).map((row) => row.nonce.toString('hex'))),
        new Set([good, other].map(nonceOf)),
      );
      t.match(await heir.registry.metrics(), /brought_in_total\{source="records",outcome="refused"\} 6\n/);
      t.equal(logged.length, 6);
      t.ok(logged.every(({ details }) => 'recordId' in details || 'recordHash' in details));
      t.ok(
        logged.some(
          ({ details }) =>
            'recordId' in details && details.recordId === Buffer.from(unknown.nonce).toString('hex'),
        ),
      );
    },
  );

  await t.test('a record cannot speak for another company or partition than its id', async (t) => {
    const { companyId, records, start, answerAndDie } = await createWorld(t, db);
    const experimentId = await addExperiment(db, companyId, tenWays);
    const good = await answerAndDie(experimentId);
    const payload = JSON.parse(Buffer.from(records.kept[0]!.payload).toString()) as object;
    const forged = { ...payload, companyId: 'cmp_other', partition: 3, userId: 'other' };
    await records.put({ id: 'forged', payload: Buffer.from(JSON.stringify(forged)) }, 1_000);
    await start();
    await records.pump();
    const rows = await recordedAssignments(db, experimentId);
    t.match(rows, [{ company_id: companyId, user_id: 'u', partition: partitionOfExperiment(experimentId) }]);
    t.equal(rows[0]!.nonce.toString('hex'), nonceOf(good));
  });

  for (const order of ['event first', 'record first', 'at once']) {
    for (const ttl of [60_000, 0]) {
      await t.test(
        `an event and the record of its assignment make one trial: ${order}, ttl ${ttl}`,
        async (t) => {
          const { companyId, clock, records, start, answerAndDie } = await createWorld(t, db);
          // In the future: the database's own clock must not find it expired.
          clock.nowMs = Date.now() + 60_000;
          const experimentId = await addExperiment(db, companyId, { ...tenWays, ttl });
          const given = await answerAndDie(experimentId);
          const heir = await start();
          const convert = async () =>
            t.match(await acceptWithRetry(db, conversionOf(given)), { isWon: true });
          if (order === 'event first') await convert();
          if (order === 'at once') await Promise.all([convert(), records.pump()]);
          await records.pump();
          if (order === 'record first') await convert();
          t.equal(records.kept.length, 0);
          const rows = await recordedAssignments(db, experimentId);
          t.equal(rows.length, 1);
          t.match(rows[0], { is_first: true });
          t.equal(await countTrials(db, experimentId), 1);
          const events = await db
            .selectFrom('events')
            .selectAll()
            .where('experiment_id', '=', experimentId)
            .execute();
          t.equal(events.length, 1);
          t.equal(events[0]!.assignment_nonce?.toString('hex'), nonceOf(given));
          t.ok(events[0]!.batch >= rows[0]!.batch, 'the assignment precedes its reward');
          if (ttl === 0) return;
          t.equal(await currentOf(db, experimentId), nonceOf(given));
          t.match(await heir.assign(experimentId), { assignmentId: given, standing: 'settled' });
        },
      );
    }
  }
});

/** As accept does: a deadlock or an assignment of a later batch undoes everything and is run again. */
async function acceptWithRetry(db: Db, item: AcceptItem) {
  for (let attempt = 1; ; attempt++) {
    try {
      return (await acceptEvents(db, [item]))[0]!;
    } catch (error) {
      const { code } = error as { code?: string };
      if (attempt === 5 || (code !== '40001' && code !== '40P01')) throw error;
    }
  }
}
