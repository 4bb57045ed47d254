import { setTimeout as delay } from 'node:timers/promises';
import type { OpenedDatabase } from '@bandit/db';
import { forEachStore, sql } from '@bandit/db/testing';
import t, { type Test } from 'tap';
import { createSharedRebuilds } from '../../src/learner/shared-rebuilds.ts';
import { createAccept, createFolder, foldEverything, send } from '../fixtures/learning.ts';
import { countingBytes, createWorld } from '../fixtures/world.ts';

type Db = OpenedDatabase['db'];
const atMs = Date.UTC(2026, 0, 15, 10);

interface Span {
  readonly from: number;
  readonly to: number;
}

/** A learner's rebuilds, and when each one ran. */
function createLearner(t: Test, db: Db, name: string, isShared: boolean) {
  const spans: Span[] = [];
  const broadcast: string[] = [];
  const rebuilds = createSharedRebuilds({
    db,
    bus: { publish: (subject) => void broadcast.push(subject) },
    isShared,
    randomBytes: countingBytes(name),
    metrics: {
      startRebuild: () => {
        const from = performance.now();
        return () => void spans.push({ from, to: performance.now() });
      },
    },
  });
  t.teardown(() => rebuilds.close());
  return { ...rebuilds, spans, broadcast };
}

async function createExperiments(db: Db, companyId: string) {
  const world = await createWorld(db, companyId);
  const accept = createAccept(db, world);
  const keys = ['e', 'f'].map((letter) => ({ companyId, experimentId: `${companyId}_${letter}` }));
  for (const { experimentId } of keys) {
    await world.addExperiment({ id: experimentId });
    for (let n = 0; n < 5; n += 1) {
      const treatmentId = `${experimentId}_a`;
      const { id } = await world.assign({ experimentId, treatmentId, userId: `u${n}`, atMs });
      await send(accept, companyId, { assignmentId: id, eventType: 'CONVERSION' });
    }
  }
  await foldEverything(db, createFolder(db));
  return keys;
}

const findOverlaps = (spans: readonly Span[]) => {
  const inOrder = spans.toSorted((a, b) => a.from - b.from);
  return inOrder.filter((span, n) => n > 0 && span.from < (inOrder[n - 1] as Span).to);
};

async function countHeldTurns(db: Db): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from pg_locks where locktype = 'advisory' and classid = 7242202
      and database = (select oid from pg_database where datname = current_database())`.execute(db);
  return rows[0]?.n ?? Number.NaN;
}

t.test('rebuilds of one experiment run one after another, in whichever learner', async (t) => {
  await forEachStore(t, async (t, { kind, db, open }) => {
    const [key] = await createExperiments(db, 'c1');
    if (key === undefined) throw new Error('no experiment');
    const isShared = kind === 'postgres';
    const learners = (isShared ? ['one', 'two', 'three'] : ['one']).map((name) =>
      createLearner(t, isShared ? open({ max: 5, role: 'bandit_learner' }) : db, name, isShared),
    );
    const versions = new Set<number>();
    for (let round = 0; round < 4; round += 1) {
      const states = await Promise.all(learners.flatMap(({ run }) => [run(key), run(key)]));
      for (const { version } of states) versions.add(version);
    }
    const spans = learners.flatMap((learner) => learner.spans);
    t.equal(spans.length, 4 * learners.length, 'calls in one process share a run');
    t.strictSame(findOverlaps(spans), []);
    t.equal(versions.size, spans.length, 'each run has its version');
    if (isShared) t.equal(await countHeldTurns(db), 0, 'all turns are given back');
  });
});

t.test('rebuilds of other experiments do not wait, and a wait ends with the learner', async (t) => {
  await forEachStore(t, async (t, { kind, db, open }) => {
    if (kind === 'pglite') return t.comment('one process owns an embedded database');
    const [key, other] = await createExperiments(db, 'c2');
    if (key === undefined || other === undefined) throw new Error('no experiment');
    const learner = createLearner(t, open({ max: 5, role: 'bandit_learner' }), 'one', true);
    const elsewhere = open({ max: 1 });
    const name = `${key.companyId}/${key.experimentId}`;
    await elsewhere.connection().execute(async (session) => {
      await sql`select pg_advisory_lock(7242202, hashtext(${name}))`.execute(session);
      const waiting = learner.run(key);
      waiting.catch(() => undefined);
      await learner.run(other);
      t.equal(learner.spans.length, 1);
      const again = await Promise.race([waiting.then(() => 'done'), learner.run(other).then(() => 'other')]);
      t.equal(again, 'other', 'what is held elsewhere waits');
      await sql`select pg_advisory_unlock_all()`.execute(session);
      await waiting;
      t.equal(learner.spans.length, 3, 'and runs once it may');

      await sql`select pg_advisory_lock(7242202, hashtext(${name}))`.execute(session);
      const givenUp = learner.run(key);
      givenUp.catch(() => undefined);
      await learner.close();
      await t.rejects(givenUp, { name: 'AbortError' });
      await sql`select pg_advisory_unlock_all()`.execute(session);
    });
    t.equal(await countHeldTurns(db), 0);
  });
});

t.test('a session that is cut costs one answer at most', async (t) => {
  await forEachStore(t, async (t, { kind, db, open }) => {
    if (kind === 'pglite') return t.comment('the embedded database has one session');
    const [key, other] = await createExperiments(db, 'c3');
    if (key === undefined || other === undefined) throw new Error('no experiment');
    const learner = createLearner(t, open({ max: 5, role: 'bandit_learner' }), 'one', true);
    const elsewhere = open({ max: 1 });
    await elsewhere.connection().execute(async (session) => {
      const name = `${key.companyId}/${key.experimentId}`;
      await sql`select pg_advisory_lock(7242202, hashtext(${name}))`.execute(session);
      const waiting = learner.run(key);
      const failed = waiting.then(
        () => false,
        () => true,
      );
      await learner.run(other);
      // The session that waits asks again and again.
      const cut = () =>
        sql`
          select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and query like '%pg_try_advisory_lock%'`.execute(
          session,
        );
      while ((await cut()).rows.length === 0) await delay(10);
      t.equal(await failed, true, 'the wait ends with an error, not never');
      await sql`select pg_advisory_unlock_all()`.execute(session);
    });
    t.ok((await learner.run(key)).version > 1, 'and the next call has a session of its own');
    t.equal(await countHeldTurns(db), 0);
  });
});
