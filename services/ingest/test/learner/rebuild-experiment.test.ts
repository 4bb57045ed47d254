import { type Algorithm, createRng } from '@bandit/core';
import { type NewSwap, type OpenedDatabase, partitionOfExperiment, type StoredAssignment } from '@bandit/db';
import { forEachStore } from '@bandit/db/testing';
import t from 'tap';
import { rebuildExperiment } from '../../src/learner/rebuild-experiment.ts';
import {
  checkCounts,
  createAccept,
  createFolder,
  type Folder,
  foldEverything,
  pause,
  rewardByFunnel,
  send,
} from '../fixtures/learning.ts';
import { checkEqual, plans, readEverything, trainSwap } from '../fixtures/rebuilding.ts';
import { createWorld } from '../fixtures/world.ts';

type Db = OpenedDatabase['db'];
const seed = 20_260_115;
const atMs = Date.UTC(2026, 0, 15, 10);

/** Rounds of assignments, conversions and funnel rewards, many of them for assignments of earlier rounds. */
async function createTraffic(
  db: Db,
  companyId: string,
  algorithm: Algorithm,
  config: Record<string, unknown>,
) {
  const world = await createWorld(db, companyId);
  const experimentId = `${companyId}_e`;
  await world.addExperiment({ id: experimentId, algorithm, config });
  const accept = createAccept(db, world);
  const rng = createRng(seed);
  const made: { assignment: StoredAssignment; id: string; isConverted: boolean; isRewarded: boolean }[] = [];
  const assign = async () => {
    const treatmentId = `${experimentId}_${rng.uniform() < 0.5 ? 'a' : 'b'}`;
    const context = { device: rng.uniform() < 0.5 ? 'mobile' : 'desktop', age: rng.uniform() * 50 };
    const user = { userId: `u${made.length}`, atMs: atMs + made.length * 3_600_000 };
    const one = await world.assign({ ...user, treatmentId, experimentId, context });
    made.push({ ...one, isConverted: false, isRewarded: false });
  };
  return {
    key: { companyId, experimentId },
    round: async (nUsers: number) => {
      for (let i = 0; i < nUsers; i++) await assign();
      for (const one of made) {
        const event = { assignmentId: one.id, eventType: 'CONVERSION' as const };
        if (!one.isConverted && rng.uniform() < 0.2) {
          await send(accept, companyId, { ...event, value: rng.uniform() * 1e6 });
          one.isConverted = true;
        }
        if (!one.isRewarded && rng.uniform() < 0.1) {
          await rewardByFunnel(db, one.assignment, `fnl_${companyId}`, rng.uniform() < 0.5 ? 0 : 7);
          one.isRewarded = true;
        }
      }
    },
  };
}

t.setTimeout(180_000);
t.comment(`seed ${seed}`);

await t.test('a rebuild equals what was learned step by step', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    for (const [name, algorithm, config] of plans) {
      await t.test(name, async (t) => {
        const { key, round } = await createTraffic(db, name, algorithm, config);
        const partition = partitionOfExperiment(key.experimentId);
        let swaps: NewSwap[] = [];
        const fold: Folder = createFolder(db, { findSwaps: (of) => (of === partition ? swaps : []) });
        for (const nUsers of [3, 8, 1, 20]) {
          await round(nUsers);
          await foldEverything(db, fold);
        }
        if (algorithm === 'NEURAL_CONTEXTUAL') {
          swaps = await trainSwap(db, key, seed);
          await fold(partition);
          swaps = [];
          await round(6);
          await foldEverything(db, fold);
        }
        const before = await readEverything(db, key);
        const rebuilt = await rebuildExperiment({ db, pause, makeToken: () => `token ${name}` }, key);
        const after = await readEverything(db, key);
        checkEqual(t, before, after);
        t.equal(rebuilt.version, after.state.version);
        // Sums of numeric rewards may differ in the last digit; everything else is the same to the bit.
        if (config.reward !== 'numeric')
          t.ok(after.state.serving.equals(before.state.serving), 'what is served stays as it was');
        await checkCounts(t, db);

        // Learning goes on from it, and a second one that has both in it agrees again.
        await round(7);
        await foldEverything(db, fold);
        const later = await readEverything(db, key);
        await rebuildExperiment({ db, pause, makeToken: () => `token ${name}` }, key);
        checkEqual(t, later, await readEverything(db, key));
        const left = await db.selectFrom('rebuild_outcomes').select('token').execute();
        t.same(left, [], 'nothing is left aside');
      });
    }
  });
});

await t.test('facts that are learned while it runs are in it', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    const { key, round } = await createTraffic(db, 'meanwhile', 'LINEAR_CONTEXTUAL', {});
    const fold = createFolder(db);
    await round(30);
    await foldEverything(db, fold);
    let nMeanwhile = 0;
    let learning = Promise.resolve();
    // Between any two steps of the rebuild a further round is accepted and learned.
    const busy = async () => {
      await pause();
      if (nMeanwhile >= 3) return;
      nMeanwhile += 1;
      learning = learning.then(async () => {
        await round(2);
        await foldEverything(db, fold);
      });
      await learning;
    };
    await rebuildExperiment({ db, pause: busy, makeToken: () => 'busy' }, key);
    await learning;
    await foldEverything(db, fold);
    t.equal(nMeanwhile, 3);
    const before = await readEverything(db, key);
    t.equal(before.state.n_trials, 36);
    await rebuildExperiment({ db, pause, makeToken: () => 'again' }, key);
    checkEqual(t, before, await readEverything(db, key));
    await checkCounts(t, db);
  });
});

await t.test('a change by hand is healed', async (t) => {
  await forEachStore(t, async (t, { db, open }) => {
    const { key, round } = await createTraffic(db, 'hand', 'THOMPSON_SAMPLING', {});
    await round(20);
    await foldEverything(db, createFolder(db));
    const before = await readEverything(db, key);
    await db.updateTable('treatment_days').set({ trials: 999 }).where('company_id', '=', 'hand').execute();
    await db
      .updateTable('experiment_states')
      .set({ state: Buffer.from('damaged') })
      .where('company_id', '=', 'hand')
      .execute();
    await db.deleteFrom('assignment_outcomes').where('company_id', '=', 'hand').execute();
    const asLearner = open({ role: 'bandit_learner' });
    await rebuildExperiment({ db: asLearner, pause, makeToken: () => 'heal' }, key);
    checkEqual(t, before, await readEverything(db, key));
  });
});
