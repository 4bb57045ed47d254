import { ApiError, type Bus, eventIdOfAssignment, type TrackEvent } from '@bandit/contracts';
import { assignmentEventKey, clientEventKey, clientTrialNonce, type OpenedDatabase } from '@bandit/db';
import { forEachStore } from '@bandit/db/testing';
import t from 'tap';
import type { AcceptResult } from '../../src/accept/accept-in-passes.ts';
import { type AcceptDeps, type AcceptRuntime, createAcceptRuntime } from '../../src/accept/accept-runtime.ts';
import { countingBytes, createWorld, testIds, type World } from '../fixtures/world.ts';

type Db = OpenedDatabase['db'];
const atMs = Date.UTC(2026, 0, 15, 10);

interface Scene {
  readonly world: World;
  readonly runtime: AcceptRuntime;
  readonly woken: string[];
  accept(...events: TrackEvent[]): Promise<AcceptResult[]>;
}

/** @param deps `db` may be a pool with the service's own role; the world is made with `db` */
async function createScene(db: Db, companyId: string, deps: Partial<AcceptDeps> = {}): Promise<Scene> {
  const world = await createWorld(db, companyId);
  await world.addExperiment({ id: `${companyId}_e` });
  const woken: string[] = [];
  const runtime = createAcceptRuntime({
    db,
    bus: { publish: (subject) => void woken.push(subject) } as Pick<Bus, 'publish'>,
    ids: testIds,
    findExperiment: world.findExperiment,
    nowMs: () => atMs,
    randomBytes: countingBytes(companyId),
    retentionMs: undefined,
    ...deps,
  });
  return { world, runtime, woken, accept: (...events) => runtime.accept(companyId, events) };
}

const code = (result: AcceptResult | undefined) =>
  result === undefined
    ? 'no result'
    : 'event' in result
      ? 201
      : ((result.error as { code?: string }).code ?? String(result.error));
const codes = (results: readonly AcceptResult[]) => results.map(code);
function eventIdOf(result: AcceptResult | undefined): string | undefined {
  if (result === undefined) return undefined;
  return 'event' in result
    ? result.event.id
    : (result.error as { details?: { eventId: string } }).details?.eventId;
}
const countEvents = async (db: Db, companyId: string) =>
  (await db.selectFrom('events').select('id').where('company_id', '=', companyId).execute()).length;

await t.test('an event is stored once, under the identity of its assignment', async (t) => {
  await forEachStore(t, async (t, { db, open }) => {
    await t.test('a conversion is answered as it is stored, and the learner is woken', async (t) => {
      const { world, accept, woken } = await createScene(db, 'c1');
      const { id } = await world.assign({
        experimentId: 'c1_e',
        treatmentId: 'c1_e_a',
        userId: 'ann',
        atMs,
      });
      const [result] = await accept({
        assignmentId: id,
        eventType: 'CONVERSION',
        value: 29.99,
        metadata: { product: 'plan', assignmentId: 'forged' },
      });
      if (result === undefined || !('event' in result)) return t.fail(`not created: ${code(result)}`);
      const { id: eventId, timestamp, ...rest } = result.event;
      t.match(eventId, /^evt_[A-Za-z0-9_-]{22}$/);
      t.same(rest, {
        experimentId: 'c1_e',
        treatmentId: 'c1_e_a',
        userId: 'ann',
        eventType: 'CONVERSION',
        value: 29.99,
        metadata: { product: 'plan', assignmentId: id },
      });
      const row = await db
        .selectFrom('events')
        .selectAll()
        .where('company_id', '=', 'c1')
        .executeTakeFirstOrThrow();
      t.equal(row.received_at.toISOString(), timestamp);
      t.same(row.metadata, { product: 'plan' }, 'assignmentId is merged in at answer time only');
      t.equal(row.assigned_at?.getTime(), atMs);
      t.same(woken, [`wake.${row.partition}`]);
      const batch = await db
        .selectFrom('fact_batches')
        .selectAll()
        .where('batch', '=', row.batch)
        .executeTakeFirstOrThrow();
      t.match(batch, { partition: row.partition, n_assignments: 0, n_events: 1 });
    });

    await t.test('each event type counts once, and a repeat names the event that exists', async (t) => {
      const { world, accept } = await createScene(db, 'c2');
      const { id, assignment } = await world.assign({
        experimentId: 'c2_e',
        treatmentId: 'c2_e_a',
        userId: 'u',
        atMs,
      });
      for (const eventType of ['CONVERSION', 'CLICK', 'VIEW', 'CUSTOM'] as const) {
        const [first] = await accept({ assignmentId: id, eventType });
        const [second] = await accept({ assignmentId: id, eventType });
        t.same([code(first), code(second)], [201, 'DUPLICATE_EVENT'], eventType);
        t.equal(eventIdOf(second), eventIdOf(first));
      }
      const [own] = await accept({ assignmentId: id, eventType: 'ASSIGNMENT' });
      t.equal(code(own), 'DUPLICATE_EVENT');
      t.equal(eventIdOf(own), eventIdOfAssignment(assignment.nonce));
    });

    await t.test('with an eventId clicks repeat, conversions do not, and the same id never', async (t) => {
      const { world, accept } = await createScene(db, 'c3');
      const { id } = await world.assign({
        experimentId: 'c3_e',
        treatmentId: 'c3_e_a',
        userId: 'u',
        atMs,
      });
      const click = { assignmentId: id, eventType: 'CLICK' } as const;
      const conversion = { assignmentId: id, eventType: 'CONVERSION' } as const;
      const [one] = await accept({ ...click, eventId: 'k1' });
      t.same(codes(await accept({ ...click, eventId: 'k2' })), [201]);
      const [again] = await accept({ ...click, eventId: 'k1' });
      t.same([code(again), eventIdOf(again)], ['DUPLICATE_EVENT', eventIdOf(one)]);
      const [taken] = await accept({ ...conversion, eventId: 'k1' });
      t.same([code(taken), eventIdOf(taken)], ['DUPLICATE_EVENT', eventIdOf(one)]);
      // The refused conversion gave its other identity back.
      const [counted] = await accept({ ...conversion, eventId: 'k3' });
      t.equal(code(counted), 201);
      const [repeat] = await accept({ ...conversion, eventId: 'k4' });
      t.same([code(repeat), eventIdOf(repeat)], ['DUPLICATE_EVENT', eventIdOf(counted)]);
      t.same(codes(await accept({ ...click, eventId: 'k4' })), [201], 'k4 was given back');
    });

    await t.test('twenty identical posts give one 201 and nineteen 409', async (t) => {
      const { world, runtime } = await createScene(db, 'c4');
      const { id } = await world.assign({
        experimentId: 'c4_e',
        treatmentId: 'c4_e_a',
        userId: 'u',
        atMs,
      });
      // Two runtimes: two processes behind a load balancer.
      const other = createAcceptRuntime({
        db: open({ role: 'bandit_accept' }),
        bus: { publish: () => undefined },
        ids: testIds,
        findExperiment: world.findExperiment,
        nowMs: () => atMs,
        randomBytes: countingBytes('other'),
        retentionMs: undefined,
      });
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          (i % 2 ? runtime : other).accept('c4', [
            { assignmentId: id, eventType: 'CONVERSION', eventId: 'x' },
          ]),
        ),
      );
      const all = codes(results.flat());
      t.equal(all.filter((one) => one === 201).length, 1);
      t.equal(all.filter((one) => one === 'DUPLICATE_EVENT').length, 19);
      t.equal(new Set(results.flat().map(eventIdOf)).size, 1, 'all name the same event');
      t.equal(await countEvents(db, 'c4'), 1);
    });

    await t.test('an id that does not verify, or of another company, is not found', async (t) => {
      const { world, accept, runtime } = await createScene(db, 'c5');
      const { id } = await world.assign({ experimentId: 'c5_e', treatmentId: 'c5_e_a', userId: 'u', atMs });
      t.same(codes(await accept({ assignmentId: `${id}x`, eventType: 'CLICK' })), ['ASSIGNMENT_NOT_FOUND']);
      t.same(codes(await accept({ assignmentId: 'asgn_none', eventType: 'CLICK' })), [
        'ASSIGNMENT_NOT_FOUND',
      ]);
      t.same(codes(await runtime.accept('c1', [{ assignmentId: id, eventType: 'CLICK' }])), [
        'ASSIGNMENT_NOT_FOUND',
      ]);
      t.equal(await countEvents(db, 'c5'), 0);
    });

    await t.test('past retention an assignment takes no event', async (t) => {
      const { world, accept } = await createScene(db, 'c6', {
        retentionMs: 1_000,
        nowMs: () => atMs + 1_001,
      });
      const old = await world.assign({ experimentId: 'c6_e', treatmentId: 'c6_e_a', userId: 'u', atMs });
      const young = await world.assign({
        experimentId: 'c6_e',
        treatmentId: 'c6_e_a',
        userId: 'v',
        atMs: atMs + 1,
      });
      t.same(codes(await accept({ assignmentId: old.id, eventType: 'CLICK' })), ['ASSIGNMENT_EXPIRED']);
      t.same(codes(await accept({ assignmentId: young.id, eventType: 'CLICK' })), [201]);
      const triplet = { experimentId: 'c6_e', treatmentId: 'c6_e_a', userId: 'u' };
      t.same(codes(await accept({ ...triplet, eventType: 'CLICK' })), ['ASSIGNMENT_EXPIRED']);
    });

    await t.test('an assignment that never reached the database comes back with its event', async (t) => {
      const { world, accept } = await createScene(db, 'c7', { db: open({ role: 'bandit_accept' }) });
      const lost = await world.assign({
        experimentId: 'c7_e',
        treatmentId: 'c7_e_a',
        userId: 'u',
        atMs,
        ttlMs: 10 * 365 * 86_400_000,
        isStored: false,
      });
      const third = await world.assign({
        experimentId: 'c7_e',
        treatmentId: 'c7_e_b',
        userId: 'w',
        atMs,
        isStored: false,
      });
      t.same(
        codes(
          await accept(
            { assignmentId: lost.id, eventType: 'CONVERSION' },
            { assignmentId: lost.id, eventType: 'CLICK' },
            { assignmentId: third.id, eventType: 'ASSIGNMENT' },
          ),
        ),
        [201, 201, 'DUPLICATE_EVENT'],
      );
      const rows = await db
        .selectFrom('assignments')
        .selectAll()
        .where('company_id', '=', 'c7')
        .orderBy('user_id')
        .execute();
      t.match(rows, [
        { user_id: 'u', source: 'restored', propensity: 0.5, is_first: true, position: Number },
        { user_id: 'w', source: 'restored' },
      ]);
      t.same(rows[0]?.nonce, lost.assignment.nonce);
      t.equal(rows[0]?.assigned_at.getTime(), atMs);
      const current = await db
        .selectFrom('current_assignments')
        .select(['user_id', 'nonce'])
        .where('company_id', '=', 'c7')
        .execute();
      t.same(current, [{ user_id: 'u', nonce: lost.assignment.nonce }], 'an expired one is not current');
      const batches = await db
        .selectFrom('fact_batches')
        .select(['n_assignments', 'n_events'])
        .where('batch', '=', rows[0]?.batch as number)
        .execute();
      t.same(batches, [{ n_assignments: 2, n_events: 2 }]);
    });
  });
});

await t.test('a triplet means the current, else the latest, assignment of that treatment', async (t) => {
  await forEachStore(t, async (t, { db, open }) => {
    await t.test('and its events count once with those that name the id', async (t) => {
      const { world, accept } = await createScene(db, 'd1');
      const base = { experimentId: 'd1_e', userId: 'u' };
      const first = await world.assign({ ...base, treatmentId: 'd1_e_a', atMs });
      const second = await world.assign({ ...base, treatmentId: 'd1_e_b', atMs: atMs + 1 });
      const [byName] = await accept({ ...base, treatmentId: 'd1_e_a', eventType: 'CONVERSION' });
      if (byName === undefined || !('event' in byName)) return t.fail(String(code(byName)));
      t.equal(byName.event.metadata.assignmentId, first.id, 'the latest of the earlier treatment');
      const [byId] = await accept({ assignmentId: first.id, eventType: 'CONVERSION' });
      t.same([code(byId), eventIdOf(byId)], ['DUPLICATE_EVENT', byName.event.id]);
      const [current] = await accept({ ...base, treatmentId: 'd1_e_b', eventType: 'ASSIGNMENT' });
      t.same(
        [code(current), eventIdOf(current)],
        ['DUPLICATE_EVENT', eventIdOfAssignment(second.assignment.nonce)],
      );
    });

    await t.test('without one a conversion makes trial and reward, once', async (t) => {
      const { accept } = await createScene(db, 'd2', { db: open({ role: 'bandit_accept' }) });
      const triplet = { experimentId: 'd2_e', treatmentId: 'd2_e_a', userId: 'u' };
      const nonce = clientTrialNonce('d2', 'd2_e', 'd2_e_a', 'u');
      const [made] = await accept({ ...triplet, eventType: 'CONVERSION', value: 3 });
      t.equal(code(made), 201);
      const trial = await db
        .selectFrom('assignments')
        .selectAll()
        .where('company_id', '=', 'd2')
        .executeTakeFirstOrThrow();
      t.match(trial, { source: 'client', propensity: null, user_id: 'u', is_first: true, position: 0 });
      t.same(trial.nonce, nonce);
      const event = await db
        .selectFrom('events')
        .selectAll()
        .where('company_id', '=', 'd2')
        .executeTakeFirstOrThrow();
      t.same(event.assignment_nonce, nonce);
      t.same(event.assigned_at, trial.assigned_at);
      t.equal(event.position, 1, 'behind its assignment in the log');
      t.same(codes(await accept({ ...triplet, eventType: 'CONVERSION' })), ['DUPLICATE_EVENT']);
      const [trialAgain] = await accept({ ...triplet, eventType: 'ASSIGNMENT' });
      t.same([code(trialAgain), eventIdOf(trialAgain)], ['DUPLICATE_EVENT', eventIdOfAssignment(nonce)]);
      if (made === undefined || !('event' in made)) return;
      const ownId = made.event.metadata.assignmentId as string;
      t.same(codes(await accept({ assignmentId: ownId, eventType: 'CLICK' })), [201], 'its id proves itself');
      const n = await db.selectFrom('assignments').select('nonce').where('company_id', '=', 'd2').execute();
      t.equal(n.length, 1);
    });

    await t.test('an ASSIGNMENT makes the trial alone, and forty at once make one', async (t) => {
      const { runtime } = await createScene(db, 'd3');
      const triplet = { experimentId: 'd3_e', treatmentId: 'd3_e_a', userId: 'u' };
      const results = await Promise.all(
        Array.from({ length: 40 }, () =>
          runtime.accept('d3', [{ ...triplet, eventType: 'ASSIGNMENT', value: 7, metadata: { a: 1 } }]),
        ),
      );
      const all = codes(results.flat());
      t.same([all.filter((one) => one === 201).length, new Set(all).size], [1, 2]);
      const rows = await db
        .selectFrom('assignments')
        .select(['source', 'value', 'metadata'])
        .where('company_id', '=', 'd3')
        .execute();
      t.same(rows, [{ source: 'client', value: 7, metadata: { a: 1 } }]);
      t.equal(await countEvents(db, 'd3'), 0, 'the row of the assignment is the event');
    });

    await t.test('other types are stored without an assignment', async (t) => {
      const { accept } = await createScene(db, 'd4');
      const triplet = { experimentId: 'd4_e', treatmentId: 'd4_e_a', userId: 'u' };
      const [click] = await accept({ ...triplet, eventType: 'CLICK', metadata: { assignmentId: 'forged' } });
      if (click === undefined || !('event' in click)) return t.fail(String(code(click)));
      t.same(click.event.metadata, {});
      t.same(codes(await accept({ ...triplet, eventType: 'CLICK' })), [201]);
      t.same(codes(await accept({ ...triplet, eventType: 'VIEW', eventId: 'v' })), [201]);
      t.same(codes(await accept({ ...triplet, eventType: 'VIEW', eventId: 'v' })), ['DUPLICATE_EVENT']);
      const rows = await db.selectFrom('events').selectAll().where('company_id', '=', 'd4').execute();
      t.same(
        rows.map((row) => row.assignment_nonce),
        [null, null, null],
      );
    });

    await t.test('unknown names are 404, half a subject or two that disagree are 400', async (t) => {
      const { world, accept } = await createScene(db, 'd5');
      await world.addExperiment({ id: 'd5_f' });
      const { id } = await world.assign({ experimentId: 'd5_e', treatmentId: 'd5_e_a', userId: 'u', atMs });
      const table: [Partial<TrackEvent>, string | number][] = [
        [{ experimentId: 'nope', treatmentId: 'd5_e_a', userId: 'u' }, 'EXPERIMENT_NOT_FOUND'],
        [{ experimentId: 'c1_e', treatmentId: 'c1_e_a', userId: 'u' }, 'EXPERIMENT_NOT_FOUND'],
        [{ experimentId: 'd5_e', treatmentId: 'nope', userId: 'u' }, 'TREATMENT_NOT_FOUND'],
        [{ experimentId: 'd5_e', treatmentId: 'd5_f_a', userId: 'u' }, 'TREATMENT_NOT_FOUND'],
        [{ experimentId: 'd5_e', userId: 'u' }, 'VALIDATION_ERROR'],
        [{}, 'VALIDATION_ERROR'],
        [{ assignmentId: id, userId: 'v' }, 'VALIDATION_ERROR'],
        [{ assignmentId: id, treatmentId: 'd5_e_b' }, 'VALIDATION_ERROR'],
        [{ assignmentId: id, experimentId: 'd5_e', treatmentId: 'd5_e_a', userId: 'u' }, 201],
      ];
      for (const [subject, expected] of table)
        t.same(
          codes(await accept({ ...subject, eventType: 'CONVERSION' })),
          [expected],
          JSON.stringify(subject),
        );
      const [unknown, foreign] = await Promise.all(
        ['nope', 'c1_e'].map((experimentId) =>
          accept({ experimentId, treatmentId: 'c1_e_a', userId: 'u', eventType: 'CLICK' }),
        ),
      );
      t.same(foreign, unknown, "another company's names are answered like unknown ones");
    });

    await t.test('what the store cannot keep or is too large is refused by itself', async (t) => {
      const { world, accept } = await createScene(db, 'd6');
      const { id } = await world.assign({ experimentId: 'd6_e', treatmentId: 'd6_e_a', userId: 'u', atMs });
      const on = (metadata: Record<string, unknown>) =>
        ({ assignmentId: id, eventType: 'CUSTOM', eventId: String(Math.trunc(1)), metadata }) as const;
      const bad: TrackEvent[] = [
        on({ a: 'x\0y' }),
        on({ a: [{ '\ud800': 1 }] }),
        on({ a: 'é'.repeat(8_193) }),
        { assignmentId: id, eventType: 'CUSTOM', eventId: 'a\0' },
      ];
      for (const event of bad)
        t.same(codes(await accept(event)), ['VALIDATION_ERROR'], JSON.stringify(event).slice(-40));
      t.same(codes(await accept(on({ a: '\\u0000', b: '\\ud800' }))), [201], 'the written words are fine');
    });
  });
});

await t.test('items of a batch settle one by one, the earlier one first', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    await t.test('duplicates, trials and what follows them', async (t) => {
      const { world, accept } = await createScene(db, 'e1');
      const { id } = await world.assign({ experimentId: 'e1_e', treatmentId: 'e1_e_a', userId: 'u', atMs });
      const triplet = { experimentId: 'e1_e', treatmentId: 'e1_e_b', userId: 'new' };
      const results = await accept(
        { assignmentId: id, eventType: 'CONVERSION', eventId: 'one' },
        { assignmentId: id, eventType: 'CONVERSION' },
        { assignmentId: id, eventType: 'CLICK', eventId: 'one' },
        { ...triplet, eventType: 'CONVERSION' },
        { ...triplet, eventType: 'CLICK' },
        { ...triplet, eventType: 'CLICK' },
        { ...triplet, eventType: 'ASSIGNMENT' },
      );
      const repeat = 'DUPLICATE_EVENT';
      t.same(codes(results), [201, repeat, repeat, 201, 201, repeat, repeat]);
      t.equal(eventIdOf(results[1]), eventIdOf(results[0]));
      t.equal(eventIdOf(results[5]), eventIdOf(results[4]));
    });

    await t.test('an item that loses gives its place to the next', async (t) => {
      const { world, accept } = await createScene(db, 'e2');
      const { id } = await world.assign({ experimentId: 'e2_e', treatmentId: 'e2_e_a', userId: 'u', atMs });
      await accept({ assignmentId: id, eventType: 'CLICK', eventId: 'used' });
      const results = await accept(
        { assignmentId: id, eventType: 'CONVERSION', eventId: 'used' },
        { assignmentId: id, eventType: 'CONVERSION', eventId: 'used' },
        { assignmentId: id, eventType: 'CONVERSION', eventId: 'fresh' },
      );
      t.same(codes(results), ['DUPLICATE_EVENT', 'DUPLICATE_EVENT', 201]);
    });

    await t.test('a thousand, against another thousand in the other order, without a deadlock', async (t) => {
      const { world, runtime } = await createScene(db, 'e3');
      const events = Array.from({ length: 1_000 }, (_, i): TrackEvent => {
        const triplet = { experimentId: 'e3_e', treatmentId: `e3_e_${'ab'[i % 2]}`, userId: `u${i}` };
        return { ...triplet, eventType: 'CONVERSION', eventId: `id${i}` };
      });
      t.equal(world.companyId, 'e3');
      const [forth, back] = await Promise.all([
        runtime.accept('e3', events),
        runtime.accept('e3', events.toReversed()),
      ]);
      const won = (results: readonly AcceptResult[]) => results.filter((result) => 'event' in result).length;
      t.equal(won(forth) + won(back), 1_000);
      t.ok([...codes(forth), ...codes(back)].every((one) => one === 201 || one === 'DUPLICATE_EVENT'));
      t.equal(await countEvents(db, 'e3'), 1_000);
      const sums = await db
        .selectFrom('fact_batches')
        .select((eb) => [eb.fn.sum<number>('n_assignments').as('a'), eb.fn.sum<number>('n_events').as('e')])
        .where('batch', 'in', db.selectFrom('events').select('batch').where('company_id', '=', 'e3'))
        .executeTakeFirstOrThrow();
      t.same(sums, { a: 1_000, e: 1_000 });
    });
  });
});

await t.test('identities are the bytes that funnels and erasure will look for', async (t) => {
  const nonce = Buffer.alloc(16, 7);
  t.same(assignmentEventKey(nonce, 'CLICK'), Buffer.concat([Buffer.of(1), nonce, Buffer.from('CLICK')]));
  t.same(clientEventKey('é'), Buffer.of(2, 0xc3, 0xa9));
});

await t.test('nothing is made for a triplet whose assignment is on its way into the database', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    let onLook: () => Promise<unknown> = async () => undefined;
    const lateAssignments = { assertNone: async () => void (await onLook()) };
    const { world, accept } = await createScene(db, 'late', { lateAssignments });
    const of = { experimentId: 'late_e', treatmentId: 'late_e_a', userId: 'ann' };
    onLook = () => Promise.reject(new ApiError('STORE_UNAVAILABLE', 'on their way'));
    t.strictSame(codes(await accept({ ...of, eventType: 'CONVERSION' })), ['STORE_UNAVAILABLE']);
    t.equal(await countEvents(db, 'late'), 0);
    // Brought in between the look at the tables and that at the stream.
    onLook = () => world.assign({ ...of, atMs: atMs - 1_000 });
    const [conversion] = await accept({ ...of, eventType: 'CONVERSION' });
    t.equal(code(conversion), 201);
    const assignments = await db
      .selectFrom('assignments')
      .select('source')
      .where('user_id', '=', 'ann')
      .execute();
    t.strictSame(assignments, [{ source: 'draw' }], 'one trial, and no client-made one');
    onLook = async () => undefined;
    t.strictSame(codes(await accept({ ...of, userId: 'bob', eventType: 'CONVERSION' })), [201]);
  });
});
