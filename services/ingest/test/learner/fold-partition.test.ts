import { eventIdOfAssignment } from '@bandit/contracts';
import { type Algorithm, decodeLearner, preparePolicy } from '@bandit/core';
import { type OpenedDatabase, partitionOfExperiment } from '@bandit/db';
import { forEachStore } from '@bandit/db/testing';
import t from 'tap';
import { createLearnerCache } from '../../src/learner/learner-cache.ts';
import {
  checkCounts,
  createAccept,
  createFolder,
  foldEverything,
  pause,
  rewardByFunnel,
  send,
} from '../fixtures/learning.ts';
import { createWorld, type ExperimentPlan } from '../fixtures/world.ts';

type Db = OpenedDatabase['db'];
const atMs = Date.UTC(2026, 0, 15, 10);

async function createScene(db: Db, companyId: string, plan: Omit<ExperimentPlan, 'id'> = {}) {
  const world = await createWorld(db, companyId);
  const experimentId = `${companyId}_e`;
  await world.addExperiment({ id: experimentId, ...plan });
  const accept = createAccept(db, world);
  const assign = (arm: 'a' | 'b', userId: string, at = atMs, more: { propensity?: number } = {}) =>
    world.assign({ experimentId, treatmentId: `${experimentId}_${arm}`, userId, atMs: at, ...more });
  const convert = (id: string, value?: number) =>
    send(accept, companyId, {
      assignmentId: id,
      eventType: 'CONVERSION',
      ...(value === undefined ? {} : { value }),
    });
  return { world, experimentId, accept, assign, convert };
}

async function readState(
  db: Db,
  experimentId: string,
  algorithm: Algorithm = 'THOMPSON_SAMPLING',
  config: Record<string, unknown> = {},
) {
  const row = await db
    .selectFrom('experiment_states')
    .selectAll()
    .where('experiment_id', '=', experimentId)
    .executeTakeFirstOrThrow();
  return { row, sums: decodeLearner({ algorithm, config }, row.state).sums() };
}

const readDays = (db: Db, experimentId: string) =>
  db
    .selectFrom('treatment_days')
    .selectAll()
    .where('experiment_id', '=', experimentId)
    .orderBy('treatment_id')
    .orderBy('day')
    .execute();

await t.test('trials and rewards become state, counters and cursor at once', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    const { experimentId, assign, convert, accept } = await createScene(db, 'f1');
    const fold = createFolder(db);
    const ann = await assign('a', 'ann', atMs, { propensity: 0.25 });
    await assign('a', 'bob', atMs, { propensity: 0.5 });
    await assign('b', 'cat', atMs + 86_400_000);
    await convert(ann.id);
    await send(accept, 'f1', { assignmentId: ann.id, eventType: 'CLICK' });
    await checkCounts(t, db);
    await foldEverything(db, fold);
    const { row, sums } = await readState(db, experimentId);
    t.match(row, { n_trials: 3 });
    t.same(sums, [
      { n: 2, s: 1, s2: 1 },
      { n: 1, s: 0, s2: 0 },
    ]);
    const days = await readDays(db, experimentId);
    // 1/.25 + 1/.5 = 6; the reward of 1 at propensity .25 weighs 4.
    t.match(days, [
      {
        day: '2026-01-15',
        trials: 2,
        successes: 1,
        first_trials: 2,
        first_successes: 1,
        late: 0,
        reward_sum: 1,
        reward_sq_sum: 1,
        propensity_trials: 2,
        ipw_sum: 6,
        ipw_reward_sum: 4,
      },
      { day: '2026-01-16', trials: 1, successes: 0, ipw_sum: 2, ipw_reward_sum: 0 },
    ]);
    const counts = await checkCounts(t, db);
    t.same([counts.accepted, counts.learned, counts.pending], [5, 5, 0]);

    await t.test('a later reward moves the state to the next version and the policy with it', async (t) => {
      const before = preparePolicy(
        { algorithm: 'THOMPSON_SAMPLING', config: {} },
        row.serving,
        [1, 1].map(() => ({ weight: 1, isLive: true })),
      ).pmf(undefined);
      const dan = await assign('b', 'dan');
      await convert(dan.id);
      await foldEverything(db, fold);
      const next = await readState(db, experimentId);
      t.ok(next.row.version > row.version);
      t.same(next.sums[1], { n: 2, s: 1, s2: 1 });
      const after = preparePolicy(
        { algorithm: 'THOMPSON_SAMPLING', config: {} },
        next.row.serving,
        [1, 1].map(() => ({ weight: 1, isLive: true })),
      ).pmf(undefined);
      t.ok(after[1]! > before[1]!);
      t.equal(after[0], after[1], '1 of 2 each');
    });

    await t.test('events that never teach move the cursor and no state', async (t) => {
      const { row: before } = await readState(db, experimentId);
      await send(accept, 'f1', { assignmentId: ann.id, eventType: 'VIEW' });
      await foldEverything(db, fold);
      t.equal((await readState(db, experimentId)).row.version, before.version);
      t.equal((await checkCounts(t, db)).pending, 0);
    });

    await t.test('a learner that starts anew goes on from the stored state', async (t) => {
      const eve = await assign('a', 'eve');
      await foldEverything(db, createFolder(db));
      await convert(eve.id);
      await foldEverything(db, createFolder(db));
      t.same((await readState(db, experimentId)).sums[0], { n: 3, s: 2, s2: 2 });
    });
  });
});

await t.test('the reward of an assignment is the larger of its mapped sources', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    // [model, conversion value or none, funnel values, expected reward, a success?]
    type Row = ['binary' | 'numeric', number | 'none' | undefined, number[], number, 0 | 1];
    const table: Row[] = [
      ['binary', 'none', [], 1, 1],
      ['binary', 0, [], 1, 1],
      ['binary', -7, [], 1, 1],
      ['binary', undefined, [0], 0, 0],
      ['binary', undefined, [0.5], 1, 1],
      ['binary', 3, [0], 1, 1],
      ['binary', 3, [5], 1, 1],
      ['numeric', 'none', [], 1, 1],
      ['numeric', 3, [], 3, 1],
      ['numeric', 3, [5], 5, 1],
      ['numeric', 5, [3], 5, 1],
      ['numeric', -5, [], -5, 1],
      ['numeric', -5, [0], 0, 1],
      ['numeric', 0, [], 0, 1],
      ['numeric', undefined, [2, 9, 4], 9, 1],
      ['numeric', 1e12, [], 1e12, 1],
      ['numeric', undefined, [], 0, 0],
    ];
    const scenes = {
      binary: await createScene(db, 'g1'),
      numeric: await createScene(db, 'g2', { config: { reward: 'numeric' } }),
    };
    const fold = createFolder(db);
    const expected = { binary: { s: 0, n: 0, won: 0 }, numeric: { s: 0, n: 0, won: 0 } };
    for (const [index, [model, conversion, funnels, reward, won]] of table.entries()) {
      const { assign, convert } = scenes[model];
      const { assignment, id } = await assign('a', `u${index}`);
      // Both ways round, and in one fold or in two.
      if (index % 2) await foldEverything(db, fold);
      if (conversion !== undefined && index % 3)
        await convert(id, conversion === 'none' ? undefined : conversion);
      for (const [place, value] of funnels.entries())
        await rewardByFunnel(db, assignment, `fnl${place}`, value);
      if (conversion !== undefined && !(index % 3))
        await convert(id, conversion === 'none' ? undefined : conversion);
      await foldEverything(db, fold);
      const outcome = await db
        .selectFrom('assignment_outcomes')
        .select('reward')
        .where('nonce', '=', Buffer.from(assignment.nonce))
        .executeTakeFirst();
      t.equal(outcome?.reward ?? 0, reward, JSON.stringify([model, conversion, funnels]));
      expected[model].s += reward;
      expected[model].won += won;
      expected[model].n += 1;
    }
    for (const model of ['binary', 'numeric'] as const) {
      const { experimentId } = scenes[model];
      const { sums } = await readState(db, experimentId, 'THOMPSON_SAMPLING', { reward: model });
      const [day] = await readDays(db, experimentId);
      t.equal(sums[0]?.n, expected[model].n);
      t.ok(Math.abs(sums[0]!.s - expected[model].s) <= 1e-9 * Math.abs(expected[model].s));
      t.equal(day?.successes, expected[model].won);
      t.ok(Math.abs(day!.reward_sum - expected[model].s) <= 1e-9 * Math.abs(expected[model].s));
    }
    await checkCounts(t, db);
  });
});

await t.test('what is not learned is on record with its reason, and blocks nothing', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    const reasons = (experimentId: string) =>
      db
        .selectFrom('fact_exceptions')
        .select(['fact_kind', 'reason'])
        .where('experiment_id', '=', experimentId)
        .orderBy('batch')
        .orderBy('position')
        .execute();

    await t.test('a reward after the attribution window is late', async (t) => {
      const { experimentId, assign, convert } = await createScene(db, 'h1', {
        config: { attributionWindow: 3_600 },
      });
      const [now] = await Promise.all([
        db
          .selectFrom('log_epoch')
          .select((eb) => eb.fn<Date>('clock_timestamp', []).as('at'))
          .executeTakeFirstOrThrow(),
      ]);
      const inTime = await assign('a', 'u', now.at.getTime() - 3_500_000);
      const late = await assign('a', 'v', now.at.getTime() - 3_700_000);
      await convert(inTime.id);
      await convert(late.id);
      await foldEverything(db, createFolder(db));
      t.same((await readState(db, experimentId)).sums[0], { n: 2, s: 1, s2: 1 });
      t.same(await reasons(experimentId), [{ fact_kind: 'event', reason: 'late' }]);
      const days = await readDays(db, experimentId);
      const total = (name: 'trials' | 'successes' | 'late') => days.reduce((sum, day) => sum + day[name], 0);
      t.same([total('trials'), total('successes'), total('late')], [2, 1, 1]);
      await checkCounts(t, db);
    });

    await t.test('an archived experiment stores only, paused and completed ones learn', async (t) => {
      for (const [status, n] of [
        ['paused', 1],
        ['completed', 1],
        ['archived', 0],
      ] as const) {
        const { experimentId, assign, convert } = await createScene(db, `h_${status}`, { status });
        const { id } = await assign('a', 'u');
        await convert(id);
        await foldEverything(db, createFolder(db));
        const days = await readDays(db, experimentId);
        t.equal(days[0]?.successes ?? 0, n, status);
        const kinds = n
          ? []
          : ['assignment', 'event'].map((fact_kind) => ({ fact_kind, reason: 'archived' }));
        t.same(await reasons(experimentId), kinds);
        await checkCounts(t, db);
      }
    });

    await t.test('a poison fact is found among many, and the others are learned', async (t) => {
      const { experimentId, assign, convert } = await createScene(db, 'h3', {
        config: { reward: 'numeric' },
      });
      const ids: string[] = [];
      for (let i = 0; i < 12; i++) ids.push((await assign('a', `u${i}`)).id);
      for (const id of ids) await convert(id, 2);
      // No request brings this in: a damaged row would.
      for (const userId of ['u0', 'u7']) {
        await db
          .updateTable('events')
          .set({ value: Number.NaN })
          .where('experiment_id', '=', experimentId)
          .where('user_id', '=', userId)
          .execute();
      }
      await foldEverything(db, createFolder(db));
      const { sums } = await readState(db, experimentId, 'THOMPSON_SAMPLING', { reward: 'numeric' });
      t.same(sums[0], { n: 12, s: 20, s2: 40 });
      const poison = { fact_kind: 'event', reason: 'poison' };
      t.same(await reasons(experimentId), [poison, poison]);
      await checkCounts(t, db);
    });

    await t.test('the reward of a trial that was not learned is not learned', async (t) => {
      const { experimentId, assign, convert } = await createScene(db, 'h4');
      const { id, assignment } = await assign('a', 'u');
      await assign('a', 'v');
      await foldEverything(db, createFolder(db));
      const fact = { fact_kind: 'assignment' as const, reason: 'poison' as const, message: 'made up' };
      const place = { partition: 0, batch: 0, position: 0 };
      await db
        .insertInto('fact_exceptions')
        .values({
          company_id: 'h4',
          experiment_id: experimentId,
          fact_id: eventIdOfAssignment(assignment.nonce),
          ...fact,
          ...place,
        })
        .execute();
      await convert(id);
      await foldEverything(db, createFolder(db));
      t.same((await readState(db, experimentId)).sums[0], { n: 2, s: 0, s2: 0 });
      t.same(await reasons(experimentId), [
        { fact_kind: 'assignment', reason: 'poison' },
        { fact_kind: 'event', reason: 'poison' },
      ]);
    });
  });
});

await t.test(
  'a fold that fails at any statement leaves nothing behind, and the next one counts once',
  async (t) => {
    await forEachStore(t, async (t, { db }) => {
      const { experimentId, assign, convert } = await createScene(db, 'i1', { config: { discount: 0.999 } });
      let nRounds = 0;
      let isThrough = false;
      while (!isThrough) {
        nRounds += 1;
        const { id } = await assign('a', `u${nRounds}`);
        await convert(id);
        await waitUntilSettled(db);
        const cache = createLearnerCache();
        const fold = createFolder(failAt(db, nRounds), { cache });
        const partition = partitionOfExperiment(experimentId);
        isThrough = await fold(partition).then(
          (report) => typeof report === 'object',
          () => false,
        );
        // The same process goes on, with what it still holds in memory.
        await foldEverything(db, createFolder(db, { cache }));
        const { sums, row } = await readState(db, experimentId, 'THOMPSON_SAMPLING', { discount: 0.999 });
        t.same(sums[0], { n: nRounds, s: nRounds, s2: nRounds }, `a failure at statement ${nRounds}`);
        t.equal(row.n_trials, nRounds);
        await checkCounts(t, db);
      }
      t.ok(nRounds > 10, `${nRounds} statements were failed one by one`);
      const numbers = await db
        .selectFrom('assignment_outcomes')
        .select('trial_number')
        .where('experiment_id', '=', experimentId)
        .orderBy('trial_number')
        .execute();
      t.same(
        numbers.map((row) => row.trial_number),
        Array.from({ length: nRounds }, (_, i) => i),
      );
    });
  },
);

await t.test('two learners that fight for a partition count every fact once', async (t) => {
  await forEachStore(t, async (t, { db, open }) => {
    const { experimentId, assign, convert } = await createScene(db, 'j1');
    const partition = partitionOfExperiment(experimentId);
    const folders = [createFolder(db), createFolder(open({ role: 'bandit_learner' }))];
    let version = 0;
    let nLost = 0;
    for (let round = 0; round < 8; round++) {
      const { id } = await assign(round % 2 ? 'a' : 'b', `u${round}`);
      await convert(id);
      const outcomes = await Promise.allSettled(folders.map((fold) => fold(partition)));
      nLost += outcomes.filter((outcome) => outcome.status === 'rejected').length;
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') t.match(outcome.reason, { name: 'PartitionMovedError' });
      await foldEverything(db, folders[round % 2]!);
      const { row } = await readState(db, experimentId);
      t.ok(row.version > version, 'versions only grow');
      version = row.version;
    }
    const { sums } = await readState(db, experimentId);
    t.same(sums, [
      { n: 4, s: 4, s2: 4 },
      { n: 4, s: 4, s2: 4 },
    ]);
    t.comment(`${nLost} folds lost their race`);
    await checkCounts(t, db);
  });
});

await t.test('contextual folds are recorded, and a chunk of many experiments is one fold', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    const { world, assign, convert, experimentId } = await createScene(db, 'k1', {
      algorithm: 'LINEAR_CONTEXTUAL',
    });
    const { id } = await assign('a', 'u');
    await convert(id);
    await foldEverything(db, createFolder(db));
    const folds = await db.selectFrom('folds').selectAll().execute();
    t.ok(folds.length > 0);
    t.equal(folds.at(-1)?.partition, partitionOfExperiment(experimentId));
    t.same((await readState(db, experimentId, 'LINEAR_CONTEXTUAL')).sums[0], { n: 1, s: 1, s2: 1 });
    t.equal(world.companyId, 'k1');
    await checkCounts(t, db);
  });
});

/** The same database, on which the n-th statement (1, 2, …) fails, and every later one too: the process died. */
function failAt(db: Db, n: number): Db {
  let count = 0;
  return db.withPlugin({
    transformQuery: ({ node }) => {
      count += 1;
      if (count >= n) throw new Error('the process died');
      return node;
    },
    transformResult: async ({ result }) => result,
  });
}

async function waitUntilSettled(db: Db): Promise<void> {
  const look = () =>
    db
      .selectFrom('fact_batches')
      .select((eb) => [eb.fn.max('batch').as('newest'), eb.fn<number>('settled_batch', []).as('settled')])
      .executeTakeFirstOrThrow();
  for (let seen = await look(); seen.newest >= seen.settled; seen = await look()) await pause();
}
