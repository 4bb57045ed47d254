import { limits } from '@bandit/contracts';
import { type NewSwap, type OpenedDatabase, type RetentionOptions, runRetention } from '@bandit/db';
import { forEachStore, sql } from '@bandit/db/testing';
import t, { type Test } from 'tap';
import { createAcceptRuntime } from '../../src/accept/accept-runtime.ts';
import { rebuildExperiment } from '../../src/learner/rebuild-experiment.ts';
import {
  createHistory,
  daysToLastMonth,
  type History,
  makePartitions,
  monthStart,
  publishAll,
} from '../fixtures/history.ts';
import {
  checkCounts,
  createAccept,
  createFolder,
  foldEverything,
  pause,
  send,
} from '../fixtures/learning.ts';
import { checkEqual, type Everything, plans, readEverything, trainSwap } from '../fixtures/rebuilding.ts';
import { recordDecision } from '../fixtures/record-decision.ts';
import { countingBytes, testIds } from '../fixtures/world.ts';

type Db = OpenedDatabase['db'];
const seed = 20_260_401;
const everyPlan = [...plans, ['late', 'THOMPSON_SAMPLING', { attributionWindow: 86_400 }] as const];

t.comment(`seed ${seed}`);
t.setTimeout(300_000);

async function readNowMs(db: Db): Promise<number> {
  const { rows } = await sql<{ now: Date }>`select now() as now`.execute(db);
  return rows[0]!.now.getTime();
}

function retentionOptions(nowMs: number, dropped: string[] = []): RetentionOptions {
  return {
    retentionDays: daysToLastMonth(nowMs),
    pause: () => pause(),
    onDropped: ({ kind, month, nFacts }) =>
      dropped.push(`${kind} ${month.toISOString().slice(0, 7)} ${nFacts > 0 ? 'some' : 'none'}`),
  };
}

/** Without the outcomes of assignments that went. */
function keptOf({ state, days, outcomes }: Everything, { made }: History, cutoff: Date): Everything {
  const gone = new Set(
    made
      .filter(({ assignment }) => assignment.assignedAtMs < cutoff.getTime())
      .map(({ assignment }) => Buffer.from(assignment.nonce).toString('hex')),
  );
  return { state, days, outcomes: outcomes.filter((row) => !gone.has(row.nonce.toString('hex'))) };
}

/** @param cutoff outcomes of assignments before it may wait to be cleared away, and a rebuild does so too */
async function rebuildAndCompare(t: Test, db: Db, history: History, cutoff = new Date(0)): Promise<void> {
  const before = keptOf(await readEverything(db, history.key), history, cutoff);
  await rebuildExperiment({ db, pause, makeToken: () => `token ${history.key.companyId}` }, history.key);
  checkEqual(t, before, keptOf(await readEverything(db, history.key), history, cutoff));
}

/** Four months, the oldest one in the default partition as its own was never made. */
async function createMonths(db: Db, nowMs: number, chosen: typeof everyPlan) {
  await makePartitions(db, nowMs, [1, 2]);
  let swaps: NewSwap[] = [];
  const histories: History[] = [];
  const fold = createFolder(db, {
    findSwaps: (partition) =>
      swaps.filter((swap) =>
        histories.some((h) => h.partition === partition && h.key.experimentId === swap.experimentId),
      ),
  });
  for (const [name, algorithm, config] of chosen)
    histories.push(await createHistory(db, nowMs, name, [algorithm, config], fold, seed));
  const neural = histories.find((h) => h.key.companyId === 'neural');
  const swapIn = async () => {
    if (neural === undefined) return;
    swaps = await trainSwap(db, neural.key, seed);
    await fold(neural.partition);
    swaps = [];
  };
  for (const monthsAgo of [3, 2, 1, 0]) {
    for (const history of histories) await history.round(monthsAgo, 9, new Date(0));
    if (monthsAgo === 2) await swapIn();
  }
  await publishAll(db);
  return { histories, fold, swapIn };
}

await t.test('facts go, what was learned of them stays', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    const nowMs = await readNowMs(db);
    const cutoff = monthStart(nowMs, 1);
    const { histories, swapIn } = await createMonths(db, nowMs, everyPlan);
    const before = await Promise.all(histories.map(({ key }) => readEverything(db, key)));
    const counts = await checkCounts(t, db);

    const dropped: string[] = [];
    const report = await runRetention(db, retentionOptions(nowMs, dropped));
    t.equal(report.outcome, 'done');
    t.same(report.oldestMonth, cutoff);
    const name = monthStart(nowMs, 2).toISOString().slice(0, 7);
    t.same(dropped, [`assignment ${name} some`, `event ${name} some`]);
    const left = await sql<{ n: number }>`select
      (select count(*) from assignments where assigned_at < ${cutoff})
      + (select count(*) from events where received_at < ${cutoff} or assigned_at < ${cutoff}) as n`.execute(
      db,
    );
    // Events of the last month on assignments of before: they go with their own month.
    const onOlder = await sql<{ n: number }>`select count(*) as n from events
      where received_at >= ${cutoff} and assigned_at < ${cutoff}`.execute(db);
    t.equal(left.rows[0]!.n, onOlder.rows[0]!.n, 'nothing else of before is left');
    t.ok(onOlder.rows[0]!.n > 0);
    t.same(await checkCounts(t, db), counts, 'law 6: accepted, learned, excepted and pending as before');
    t.equal(counts.excepted > 0, true, 'late rewards are among them');

    for (const [i, history] of histories.entries()) {
      await t.test(history.key.companyId, async (t) => {
        const kept = keptOf(before[i]!, history, cutoff);
        const now = await readEverything(db, history.key);
        t.same({ ...now, outcomes: now.outcomes.length }, { ...kept, outcomes: kept.outcomes.length });
        await rebuildAndCompare(t, db, history);
        await history.round(0, 5, cutoff);
        if (history.key.companyId === 'neural') await swapIn();
        await history.round(0, 5, cutoff);
        await rebuildAndCompare(t, db, history);
      });
    }
    await checkCounts(t, db);

    const again: string[] = [];
    const bases = await db.selectFrom('partition_bases').selectAll().execute();
    t.equal((await runRetention(db, retentionOptions(nowMs, again))).outcome, 'done');
    t.same(again, []);
    t.same(await db.selectFrom('partition_bases').selectAll().execute(), bases, 'and no new base');

    await t.test('the next month goes from the base of this one', async (t) => {
      await publishAll(db);
      // One day of retention and the day more: today must be past the second of its month.
      await sql`update learner_partitions set published_batch = cursor_batch`.execute(db);
      const days = Math.max(1, new Date(nowMs).getUTCDate() - 2);
      const next = await runRetention(db, { ...retentionOptions(nowMs), retentionDays: days });
      t.equal(next.outcome, 'done');
      await checkCounts(t, db);
      for (const history of histories) await rebuildAndCompare(t, db, history);
    });
  });
});

await t.test('whoever dies between two steps leaves a state that is right', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    const nowMs = await readNowMs(db);
    const chosen = plans.filter(([name]) => name === 'thompson' || name === 'linear');
    const { histories } = await createMonths(db, nowMs, chosen);
    let nCrashes = 0;
    let nAfterDrop = 0;
    let stepsMax = 0;
    for (let isDone = false; !isDone; ) {
      let nSteps = 0;
      const crash = async () => {
        nSteps += 1;
        // Each run comes one step further than the one before it, and from each month that went anew.
        if (nSteps > stepsMax) throw new Error('crash');
      };
      const onDropped = () => {
        stepsMax = 0;
        nAfterDrop += 1;
      };
      const run = runRetention(db, { ...retentionOptions(nowMs), pause: crash, onDropped });
      isDone = await run.then(
        () => true,
        (error: Error) => error.message !== 'crash' && Promise.reject(error),
      );
      if (!isDone) nCrashes += 1;
      stepsMax += 1;
      await checkCounts(t, db);
      if (nAfterDrop > 0) {
        nAfterDrop += 1;
        for (const history of histories) await rebuildAndCompare(t, db, history, monthStart(nowMs, 1));
      }
    }
    t.ok(nAfterDrop > 6, `${nAfterDrop} times after a month went`);
    t.ok(nCrashes > limits.learnerPartitions, `it died ${nCrashes} times`);
    const { rows } =
      await sql`select relname from pg_class where relname like 'retired%' and relkind = 'r'`.execute(db);
    t.same(rows, []);
  });
});

await t.test('nothing goes that is not learned, not published, or somebody else drops', async (t) => {
  await forEachStore(t, async (t, { db, open, kind }) => {
    const nowMs = await readNowMs(db);
    const { histories, fold } = await createMonths(db, nowMs, plans.slice(0, 1));
    const [history] = histories as [History];
    const options = retentionOptions(nowMs);
    const oldest = history.made.find((one) => !one.isConverted)!;
    await send(createAccept(db, history.world), 'greedy', {
      assignmentId: oldest.id,
      eventType: 'CONVERSION',
    });
    t.equal((await runRetention(db, options)).outcome, 'unlearned');
    await foldEverything(db, fold);
    await sql`update learner_partitions set published_batch = -1`.execute(db);
    t.equal((await runRetention(db, options)).outcome, 'unpublished');
    t.same(await db.selectFrom('dropped_facts').selectAll().execute(), []);
    await publishAll(db);
    if (kind === 'postgres') {
      // A reader in a transaction keeps the table: the month stays, writers wait no longer than the lock timeout.
      const reader = await open({ max: 1 }).startTransaction().execute();
      await reader.selectFrom('assignments').select('nonce').execute();
      t.equal((await runRetention(db, options)).outcome, 'busy');
      await reader.commit().execute();
      const both = await Promise.all([runRetention(db, options), runRetention(open(), options)]);
      t.same(both.map(({ outcome }) => outcome).sort(), ['busy', 'done'], 'one at a time');
      for (const role of ['bandit_accept', 'bandit_learner', 'bandit_app'] as const) {
        const call = sql`select retire_assignments(now() - interval '90 days', now() - interval '30 days')`;
        await t.rejects(call.execute(open({ role, max: 1 })), { code: '42501' }, `${role} drops nothing`);
      }
    } else t.equal((await runRetention(db, options)).outcome, 'done');
    await checkCounts(t, db);
    await rebuildAndCompare(t, db, history);
    await t.rejects(
      sql`select delete_default_events(now(), 10)`.execute(db),
      /facts of the last day cannot be dropped/,
    );
  });
});

await t.test('what comes late', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    const nowMs = await readNowMs(db);
    const cutoff = monthStart(nowMs, 1);
    const { histories, fold } = await createMonths(db, nowMs, plans.slice(0, 1));
    const [history] = histories as [History];
    const { key, world, made } = history;
    const triplet = {
      experimentId: key.experimentId,
      treatmentId: `${key.experimentId}_a`,
      userId: 'self-reported',
    };
    const lenient = createAccept(db, world);
    const strict = createAcceptRuntime({
      db,
      bus: { publish: () => undefined },
      ids: testIds,
      findExperiment: world.findExperiment,
      nowMs: () => nowMs,
      randomBytes: countingBytes('strict'),
      retentionMs: daysToLastMonth(nowMs) * 86_400_000,
    });
    await send(lenient, key.companyId, { ...triplet, eventType: 'ASSIGNMENT' });
    await foldEverything(db, fold);
    // Told of two treatments: the one row that is left names the later.
    const other = { ...triplet, treatmentId: `${key.experimentId}_b` };
    await send(lenient, key.companyId, { ...other, eventType: 'ASSIGNMENT' });
    await foldEverything(db, fold);
    const long = monthStart(nowMs, 2);
    await sql`update assignments set assigned_at = ${long}::timestamptz + position * interval '1 s'
        + case when treatment_id = ${other.treatmentId} then interval '1 hour' else interval '0' end
      where user_id = 'self-reported'`.execute(db);
    await sql`update event_keys set received_at = ${long} where received_at > now() - interval '1 hour'
      and event_id in (select 'evt_' || rtrim(translate(encode(nonce, 'base64'), '+/', '-_'), '=') from assignments
        where user_id = 'self-reported')`.execute(db);
    await publishAll(db);
    t.equal((await runRetention(db, retentionOptions(nowMs))).outcome, 'done');

    const answer = async (runtime: typeof strict, event: Parameters<typeof send>[2]) => {
      const [result] = await runtime.accept(key.companyId, [event]);
      return 'event' in result! ? 'created' : (result!.error as { code: string }).code;
    };
    const converted = made.find((one) => one.isConverted && one.assignment.assignedAtMs < cutoff.getTime())!;
    const fresh = made.find((one) => !one.isConverted && one.assignment.assignedAtMs < cutoff.getTime())!;
    const kept = made.find((one) => one.isConverted && one.assignment.assignedAtMs >= nowMs - 86_400_000)!;
    const on = ({ id }: { id: string }) => ({ assignmentId: id, eventType: 'CONVERSION' as const });
    const { treatmentId, userId } = converted.assignment;
    t.equal(await answer(strict, on(converted)), 'ASSIGNMENT_EXPIRED');
    t.equal(await answer(strict, on(kept)), 'DUPLICATE_EVENT', 'the identity is there');
    t.equal(
      await answer(strict, { experimentId: key.experimentId, treatmentId, userId, eventType: 'CONVERSION' }),
      'ASSIGNMENT_EXPIRED',
      'a triplet names the row that was left',
    );
    t.equal(await answer(strict, { ...triplet, eventType: 'CONVERSION' }), 'ASSIGNMENT_EXPIRED');
    t.equal(await answer(strict, { ...triplet, eventType: 'ASSIGNMENT' }), 'ASSIGNMENT_EXPIRED');
    t.equal(await answer(strict, { ...other, eventType: 'CONVERSION' }), 'ASSIGNMENT_EXPIRED');
    t.equal(await answer(strict, { ...triplet, userId: 'nobody', eventType: 'CONVERSION' }), 'created');
    await foldEverything(db, fold);

    await t.test('a process that knows of no retention makes no second trial', async (t) => {
      const before = await readEverything(db, key);
      t.equal(await answer(lenient, on(converted)), 'DUPLICATE_EVENT', 'the identity outlived the fact');
      t.equal(await answer(lenient, on(fresh)), 'created');
      await foldEverything(db, fold);
      const after = await readEverything(db, key);
      t.same(after.state.state, before.state.state, 'stored, but nothing was learned');
      t.same(after.days, before.days);
      const counts = await checkCounts(t, db);
      t.equal(counts.pending, 0);
      await rebuildAndCompare(t, db, history);
    });
    await t.test('a user whose first assignment is gone has had it', async (t) => {
      const again = { userId: fresh.assignment.userId, treatmentId, experimentId: key.experimentId };
      const record = async (isSticky: boolean, atMs: number, user = again.userId) => {
        return recordDecision(db, { ...again, userId: user, companyId: key.companyId, atMs, isSticky });
      };
      t.equal(await record(false, nowMs), false);
      t.equal(await record(true, nowMs + 1), false);
      t.equal(await record(false, nowMs, 'somebody new'), true);
    });
  });
});
