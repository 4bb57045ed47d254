import type { TrackEvent } from '@bandit/contracts';
import type { OpenedDatabase } from '@bandit/db';
import { forEachStore } from '@bandit/db/testing';
import t from 'tap';
import type { AcceptResult } from '../../src/accept/accept-in-passes.ts';
import { createAcceptRuntime } from '../../src/accept/accept-runtime.ts';
import { checkCounts } from '../fixtures/learning.ts';
import { countingBytes, createWorld, testIds } from '../fixtures/world.ts';

type Db = OpenedDatabase['db'];
const atMs = Date.UTC(2026, 0, 15, 10);

type Fault = 'lost' | 'cut' | 'none';

/** Each statement in turn: `lost` never arrives, `cut` is committed but its answer does not come back. */
function withFaults(db: Db, faults: Fault[]): Db {
  const errorOf = (code: string) => Object.assign(new Error(`injected ${code}`), { code });
  const cut = new WeakSet<object>();
  return db.withPlugin({
    transformQuery: ({ node, queryId }) => {
      const fault = faults.shift() ?? 'none';
      if (fault === 'lost') throw errorOf('ECONNREFUSED');
      if (fault === 'cut') cut.add(queryId);
      return node;
    },
    transformResult: async ({ result, queryId }) => {
      if (cut.has(queryId)) throw errorOf('ECONNRESET');
      return result;
    },
  });
}

/** A clock that moves only when it is read: the bound on retries is met without waiting. */
function steppingClock(stepMs: number): () => number {
  let nowMs = atMs;
  return () => {
    nowMs += stepMs;
    return nowMs;
  };
}

async function createScene(db: Db, companyId: string, faults: Fault[], stepMs = 1) {
  const world = await createWorld(db, companyId);
  await world.addExperiment({ id: `${companyId}_e` });
  const runtime = createAcceptRuntime({
    db: withFaults(db, faults),
    bus: { publish: () => undefined },
    ids: testIds,
    findExperiment: world.findExperiment,
    nowMs: steppingClock(stepMs),
    randomBytes: countingBytes(companyId),
    retentionMs: undefined,
  });
  const assigned = await world.assign({
    experimentId: `${companyId}_e`,
    treatmentId: `${companyId}_e_a`,
    userId: 'u',
    atMs,
  });
  const accept = (...events: TrackEvent[]) => runtime.accept(companyId, events);
  return { accept, id: assigned.id, runtime, world };
}

const codes = (results: readonly AcceptResult[]) =>
  results.map((result) => ('event' in result ? 201 : (result.error as { code?: string }).code));

async function countRows(db: Db, companyId: string) {
  const events = await db.selectFrom('events').select('id').where('company_id', '=', companyId).execute();
  const trials = await db
    .selectFrom('assignments')
    .select('nonce')
    .where('company_id', '=', companyId)
    .where('source', '=', 'client')
    .execute();
  return { nEvents: events.length, nTrials: trials.length };
}

await t.test('a commit with an unknown outcome is run again and counts once', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    const faults: Fault[][] = [['lost'], ['cut'], ['cut', 'cut'], ['lost', 'cut', 'lost', 'none']];
    for (const [index, list] of faults.entries()) {
      const companyId = `a${index}`;
      const { accept, id } = await createScene(db, companyId, [...list]);
      const results = await accept(
        { assignmentId: id, eventType: 'CONVERSION' },
        { assignmentId: id, eventType: 'CLICK', eventId: 'mine' },
        { assignmentId: id, eventType: 'CONVERSION' },
      );
      t.same(codes(results), [201, 201, 'DUPLICATE_EVENT'], list.join());
      t.same(await countRows(db, companyId), { nEvents: 2, nTrials: 0 });
      const stored = await db
        .selectFrom('events')
        .select(['id', 'received_at'])
        .where('company_id', '=', companyId)
        .where('event_type', '=', 'CLICK')
        .executeTakeFirstOrThrow();
      const [, click] = results;
      if (click !== undefined && 'event' in click) {
        t.equal(click.event.id, stored.id);
        t.equal(click.event.timestamp, stored.received_at.toISOString());
      }
      await checkCounts(t, db);
    }
  });
});

await t.test('so is one that makes a trial, or that has no identity but its own', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    for (const eventType of ['ASSIGNMENT', 'CONVERSION', 'CLICK'] as const) {
      const companyId = `b_${eventType}`;
      // The first statement resolves the triplet, the second commits.
      const { accept } = await createScene(db, companyId, ['none', 'cut', 'none']);
      const triplet = { experimentId: `${companyId}_e`, treatmentId: `${companyId}_e_b`, userId: 'new' };
      t.same(codes(await accept({ ...triplet, eventType })), [201], eventType);
      t.same(await countRows(db, companyId), {
        nEvents: eventType === 'ASSIGNMENT' ? 0 : 1,
        nTrials: eventType === 'CLICK' ? 0 : 1,
      });
      await checkCounts(t, db);
    }
  });
});

await t.test('past its bound the answer is 503, and posting again counts once', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    const faults: Fault[] = ['cut', 'cut', 'cut', 'cut'];
    const { accept, id } = await createScene(db, 'c', faults, 3_000);
    const event = { assignmentId: id, eventType: 'CONVERSION' } as const;
    t.same(codes(await accept(event)), ['STORE_UNAVAILABLE']);
    faults.length = 0;
    // The commit had gone through: the client's retry is told so.
    t.same(codes(await accept(event)), ['DUPLICATE_EVENT']);
    t.same(await countRows(db, 'c'), { nEvents: 1, nTrials: 0 });

    const gone: Fault[] = Array.from({ length: 20 }, () => 'lost');
    const away = await createScene(db, 'd', gone, 3_000);
    const triplet = { experimentId: 'd_e', treatmentId: 'd_e_a', userId: 'v' };
    t.same(codes(await away.accept({ ...triplet, eventType: 'CLICK' })), ['STORE_UNAVAILABLE']);
    t.same(await countRows(db, 'd'), { nEvents: 0, nTrials: 0 });
  });
});

await t.test('an item that the store refuses does not take the others of its commit along', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    const { accept, id, world } = await createScene(db, 'e', []);
    // Proves itself, but is of an experiment that this database does not hold (restored from a backup).
    const foreign = await world.assign({
      experimentId: 'e_lost',
      treatmentId: 'e_lost_a',
      userId: 'u',
      atMs,
      isStored: false,
    });
    const results = await accept(
      { assignmentId: id, eventType: 'CONVERSION' },
      { assignmentId: foreign.id, eventType: 'CONVERSION' },
      { assignmentId: id, eventType: 'CLICK' },
    );
    t.same(codes(results), [201, 'ASSIGNMENT_NOT_FOUND', 201]);
    t.same(await countRows(db, 'e'), { nEvents: 2, nTrials: 0 });
    await checkCounts(t, db);
  });
});

await t.test('after close nothing is taken in', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    const { accept, id, runtime } = await createScene(db, 'f', []);
    const pending = accept({ assignmentId: id, eventType: 'CLICK' });
    await runtime.close();
    t.same(codes(await pending), [201], 'what waited was stored');
    t.same(codes(await accept({ assignmentId: id, eventType: 'VIEW' })), ['SHUTTING_DOWN']);
  });
});
