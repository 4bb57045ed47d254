import { createInProcessCache } from '@bandit/cache';
import { assignmentCacheKey, subjects } from '@bandit/contracts';
import { createLearner, type Fact } from '@bandit/core';
import { forEachStore } from '@bandit/db/testing';
import t from 'tap';
import {
  addCompany,
  addExperiment,
  addTreatment,
  bumpConfig,
  type Instance,
  ids,
  recordedAssignments,
  removeTreatment,
  startInstance,
  treatmentId,
  updateExperiment,
} from '../harness.ts';

const startMs = 1_790_000_000_000;

/** The ids that simultaneous requests of one user get. */
async function askAtOnce(instances: readonly Instance[], experimentId: string, n: number) {
  const asked = Array.from({ length: n }, (_, i) => instances[i % instances.length]!.assign(experimentId));
  return new Set((await Promise.all(asked)).map(({ assignmentId }) => assignmentId));
}

t.test('who gets what', async (t) => {
  await forEachStore(t, async (t, { db, open }) => {
    const createWorld = async (t: import('tap').Test, nInstances = 1) => {
      const companyId = await addCompany(db);
      const clock = { nowMs: startMs };
      const start = (otherDb = db) => startInstance(t, otherDb, { companyId, clock });
      const instances = await Promise.all(
        Array.from({ length: nInstances }, (_, i) => start(i === 0 ? db : open())),
      );
      const reload = async () => {
        await bumpConfig(db, companyId);
        await Promise.all(instances.map(({ directory }) => directory.poll()));
      };
      return { companyId, clock, instances, instance: instances[0]!, start, reload };
    };

    await t.test('40 simultaneous first requests get one assignment', async (t) => {
      const { companyId, instances, reload } = await createWorld(t);
      const experimentId = await addExperiment(db, companyId, { weights: Array(10).fill(1) });
      await reload();
      t.equal((await askAtOnce(instances, experimentId, 40)).size, 1);
      t.equal((await recordedAssignments(db, experimentId)).length, 1);
      const metrics = await instances[0]!.registry.metrics();
      t.match(metrics, /source="draw"} 1\n/);
      t.notMatch(metrics, /source="held"/, 'they share one decision');
    });

    await t.test('two instances give 40 simultaneous first requests one assignment', async (t) => {
      const { companyId, instances, reload } = await createWorld(t, 2);
      for (let round = 0; round < 2; round++) {
        const experimentId = await addExperiment(db, companyId, { weights: Array(10).fill(1) });
        await reload();
        const answers = await askAtOnce(instances, experimentId, 40);
        t.equal(answers.size, 1, [...answers].join(' '));
        t.equal((await recordedAssignments(db, experimentId)).length, 1);
      }
    });

    await t.test('an assignment holds for its time to the millisecond, then a new one is made', async (t) => {
      const { companyId, instance, clock, reload } = await createWorld(t);
      const experimentId = await addExperiment(db, companyId, { ttl: 60 });
      await reload();
      const first = await instance.assign(experimentId);
      clock.nowMs = startMs + 59_999;
      t.equal((await instance.assign(experimentId)).assignmentId, first.assignmentId);
      clock.nowMs = startMs + 60_000;
      const second = await instance.assign(experimentId);
      t.not(second.assignmentId, first.assignmentId);
      t.equal((await instance.assign(experimentId)).assignmentId, second.assignmentId);
      const rows = await recordedAssignments(db, experimentId);
      t.same(
        rows.map((row) => row.is_first),
        [true, false],
      );
      t.ok(ids.verify(first.assignmentId), 'the old id still proves itself');
    });

    await t.test('a changed time applies to new assignments only', async (t) => {
      const { companyId, instance, clock, reload, start } = await createWorld(t);
      const experimentId = await addExperiment(db, companyId, { ttl: 60 });
      await reload();
      const first = await instance.assign(experimentId, 'old');
      await updateExperiment(db, experimentId, { assignment_ttl: 10 });
      await reload();
      await instance.assign(experimentId, 'new');
      clock.nowMs = startMs + 30_000;
      t.equal((await instance.assign(experimentId, 'old')).assignmentId, first.assignmentId);
      const times = (await recordedAssignments(db, experimentId)).map(
        (row) => row.expires_at.getTime() - startMs,
      );
      t.same(times, [60_000, 10_000]);
      await updateExperiment(db, experimentId, { assignment_ttl: 0 });
      await reload();
      t.equal((await instance.assign(experimentId, 'old')).assignmentId, first.assignmentId);
      const cold = await start();
      t.equal((await cold.assign(experimentId, 'old')).assignmentId, first.assignmentId);
      const [a, b] = [await cold.assign(experimentId, 'new'), await cold.assign(experimentId, 'new')];
      t.not(a.assignmentId, b.assignmentId, 'what ran out is not renewed');
    });

    await t.test('with time 0 every request is a new decision', async (t) => {
      const { companyId, instance, reload } = await createWorld(t);
      const experimentId = await addExperiment(db, companyId, { ttl: 0 });
      await reload();
      t.equal((await askAtOnce([instance], experimentId, 20)).size, 20);
      const rows = await recordedAssignments(db, experimentId);
      t.equal(rows.length, 20);
      t.equal(rows.filter((row) => row.is_first).length, 1);
      t.ok(rows.every((row) => row.expires_at.getTime() === startMs));
    });

    await t.test('a restart with empty caches keeps every assignment', async (t) => {
      const { companyId, instance, start, reload } = await createWorld(t);
      const experimentId = await addExperiment(db, companyId, { weights: Array(10).fill(1) });
      await reload();
      const before = await instance.assign(experimentId);
      const after = await (await start()).assign(experimentId);
      t.strictSame(after, before);
      t.equal((await recordedAssignments(db, experimentId)).length, 1);
    });

    await t.test(
      'users of a removed treatment get a new draw, with warm and with empty caches',
      async (t) => {
        const { companyId, instance, start, reload } = await createWorld(t);
        const experimentId = await addExperiment(db, companyId, { weights: [1, 1e-6] });
        await reload();
        for (const userId of ['warm', 'cold', 'cold twice']) {
          t.equal((await instance.assign(experimentId, userId)).treatmentId, treatmentId(experimentId, 0));
        }
        await removeTreatment(db, experimentId, 0);
        await reload();
        const other = treatmentId(experimentId, 1);
        const warm = await instance.assign(experimentId, 'warm');
        t.equal(warm.treatmentId, other);
        t.equal((await instance.assign(experimentId, 'warm')).assignmentId, warm.assignmentId);
        const cold = await start();
        t.equal((await cold.assign(experimentId, 'cold')).treatmentId, other);
        const [a, b] = await Promise.all([
          cold.assign(experimentId, 'cold twice'),
          instance.assign(experimentId, 'cold twice'),
        ]);
        t.equal(a.assignmentId, b.assignmentId, 'instances agree about the new one too');
        t.equal((await recordedAssignments(db, experimentId)).length, 6, 'history stays');
      },
    );

    await t.test('an assignment to a treatment that this instance has not heard of is served', async (t) => {
      const { companyId, instances } = await createWorld(t, 2);
      const [ahead, behind] = instances as [Instance, Instance];
      const experimentId = await addExperiment(db, companyId, { weights: [1e-6] });
      await Promise.all(instances.map(({ directory }) => directory.poll()));
      await addTreatment(db, companyId, experimentId, 1, 1e6);
      await bumpConfig(db, companyId);
      await ahead.directory.poll();
      const first = await ahead.assign(experimentId);
      t.equal(first.treatmentId, treatmentId(experimentId, 1));
      t.strictSame(await behind.assign(experimentId), first);
    });

    await t.test('draws follow the learned probabilities that they log', async (t) => {
      const { companyId, instance, reload } = await createWorld(t);
      const experimentId = await addExperiment(db, companyId, { weights: [1, 1, 1] });
      await reload();
      const serving = servingState();
      const message = {
        companyId,
        experimentId,
        version: 12,
        serving: Buffer.from(serving).toString('base64'),
      };
      instance.bus.publish(subjects.state(experimentId), Buffer.from(JSON.stringify(message)));
      await new Promise((resolve) => setImmediate(resolve));
      const n = 600;
      await Promise.all(Array.from({ length: n }, (_, i) => instance.assign(experimentId, `user ${i}`)));
      const rows = await recordedAssignments(db, experimentId);
      const propensities = new Map(rows.map((row) => [row.treatment_id, row.propensity!]));
      t.equal(propensities.size, 3, 'the floor lets every treatment through');
      const total = [...propensities.values()].reduce((sum, p) => sum + p, 0);
      t.ok(Math.abs(total - 1) < 1e-12, 'one exact number per treatment');
      t.ok(rows.every((row) => row.state_version === 12 && row.confidence >= 0 && row.confidence <= 1));
      let chiSquare = 0;
      for (const [id, p] of propensities) {
        const observed = rows.filter((row) => row.treatment_id === id).length;
        chiSquare += (observed - n * p) ** 2 / (n * p);
      }
      // Two degrees of freedom, seeds from 20260115 on: 13.8 is exceeded with probability .001.
      t.ok(chiSquare < 13.8, `chi-square ${chiSquare}`);
    });

    await t.test('the shared cache saves the database a question, and is not trusted', async (t) => {
      const companyId = await addCompany(db);
      const clock = { nowMs: startMs };
      const cache = createInProcessCache({ nowMs: () => clock.nowMs, entriesMax: 100 });
      const experimentId = await addExperiment(db, companyId, { weights: [1, 1, 1, 1] });
      const otherId = await addExperiment(db, companyId, { weights: [1, 1, 1, 1] });
      const start = () => startInstance(t, db, { companyId, clock, cache, isCacheShared: true });
      const first = await (await start()).assign(experimentId);
      const second = await start();
      t.strictSame(await second.assign(experimentId), first);
      t.match(await second.registry.metrics(), /source="cache"} 1/);
      const key = assignmentCacheKey(companyId, experimentId, 'u');
      const foreign = await second.assign(otherId);
      const other = await second.assign(experimentId, 'another user');
      for (const value of [
        '',
        'garbage',
        `${first.assignmentId}x`,
        foreign.assignmentId,
        other.assignmentId,
      ]) {
        cache.put(key, value, 60_000);
        t.strictSame(await (await start()).assign(experimentId), first, value.slice(0, 12));
      }
    });

    await t.test('committed facts wake the learner of their partition, once a commit', async (t) => {
      const { companyId, instance, reload } = await createWorld(t);
      const experimentId = await addExperiment(db, companyId);
      await reload();
      await askAtOnce([instance], experimentId, 5);
      const [row] = await recordedAssignments(db, experimentId);
      t.same(instance.published, [subjects.wake(row!.partition)]);
      await instance.assign(experimentId);
      t.equal(instance.published.length, 1, 'a known user writes nothing');
    });
  });
});

/** Arm 0 leads, arm 1 follows, arm 2 is behind. */
function servingState(): Uint8Array {
  const learner = createLearner({ algorithm: 'THOMPSON_SAMPLING', config: {} });
  const facts: Fact[] = [];
  const add = (armIndex: number, n: number, nWins: number) => {
    for (let i = 0; i < n; i++) {
      const common = { armIndex, context: undefined, propensity: undefined, predictions: undefined };
      facts.push({ kind: 'trial', ...common });
      const reward = { previous: 0, reward: 1, isFirst: true, trialPosition: facts.length - 1 };
      if (i < nWins) facts.push({ kind: 'reward', ...common, ...reward, trialNumber: undefined });
    }
  };
  add(0, 100, 14);
  add(1, 100, 11);
  add(2, 100, 8);
  learner.fold(facts);
  return learner.encodeServing(
    Array.from({ length: 3 }, () => ({ weight: 1, isLive: true, isOriginal: true })),
    1,
  );
}
