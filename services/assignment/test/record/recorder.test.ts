import { randomBytes } from 'node:crypto';
import { limits } from '@bandit/contracts';
import type { CurrentAssignment, NewAssignment } from '@bandit/db';
import t from 'tap';
import type { AssignmentStore } from '../../src/record/assignment-store.ts';
import type { LateOutcome } from '../../src/record/bring-in.ts';
import type { CommitOutcome } from '../../src/record/commit-group.ts';
import { Recorder } from '../../src/record/recorder.ts';

const hex = (nonce: Uint8Array) => Buffer.from(nonce).toString('hex');

function newRow(userId: string, change: Partial<NewAssignment> = {}): NewAssignment {
  return {
    companyId: 'cmp_1',
    experimentId: 'exp_1',
    treatmentId: 'trt_a',
    partition: 5,
    userId,
    nonce: randomBytes(16),
    assignedAtMs: 1_000,
    expiresAtMs: 61_000,
    propensity: 0.5,
    confidence: 0.5,
    stateVersion: 0,
    predictions: undefined,
    context: undefined,
    macKeyId: 'mk',
    isSticky: true,
    droppedNonce: undefined,
    ...change,
  };
}

type Failure = Error & { code?: string };
const failure = (code: string): Failure => Object.assign(new Error(code), { code });

/** The database in memory, with the statement's rules; fails, hangs or loses answers as told. */
function createFakeStore() {
  const current = new Map<string, CurrentAssignment>();
  const recorded = new Map<string, NewAssignment>();
  const statements: NewAssignment[][] = [];
  const failures: Failure[] = [];
  let gate: Promise<void> | undefined;
  let isAway = false;
  let losesAnswers = false;
  let nProbes = 0;
  const answer = async () => {
    await gate;
    if (isAway) throw failure('ECONNREFUSED');
  };
  const insert = (row: NewAssignment) => {
    const key = `${row.experimentId}:${row.userId}`;
    if (row.isSticky ? current.has(key) : recorded.has(hex(row.nonce))) return [];
    if (row.isSticky) current.set(key, row);
    recorded.set(hex(row.nonce), row);
    return [hex(row.nonce)];
  };
  const store: AssignmentStore = {
    async insertAssignments(rows) {
      statements.push([...rows]);
      await answer();
      const next = failures.shift();
      if (next) throw next;
      if (rows.some(({ userId }) => userId === 'poison')) throw failure('22021');
      const nonces = new Set(rows.flatMap(insert));
      if (losesAnswers) throw failure('ECONNRESET');
      return nonces;
    },
    async insertSuperseded(rows) {
      await answer();
      const fresh = rows.filter(({ nonce }) => !recorded.has(hex(nonce)));
      for (const row of fresh) recorded.set(hex(row.nonce), row);
      return new Set(fresh.map(({ nonce }) => hex(nonce)));
    },
    async findCurrentAssignments(keys) {
      await answer();
      return keys.flatMap(({ experimentId, userId }) => current.get(`${experimentId}:${userId}`) ?? []);
    },
    async findRecordedNonces(rows) {
      return new Set(rows.map(({ nonce }) => hex(nonce)).filter((nonce) => recorded.has(nonce)));
    },
    async findErased() {
      return new Set();
    },
    async probe() {
      nProbes++;
      await answer();
    },
  };
  return {
    store,
    recorded,
    statements,
    failures,
    nProbes: () => nProbes,
    setAway: (away: boolean) => {
      isAway = away;
    },
    setLosesAnswers: (loses: boolean) => {
      losesAnswers = loses;
    },
    /** @returns a function that lets everything go on */
    hang: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return () => {
        if (gate === promise) gate = undefined;
        resolve();
      };
    },
  };
}

function createWorld(change: Partial<ConstructorParameters<typeof Recorder>[0]> = {}) {
  const fake = createFakeStore();
  const woken: number[] = [];
  const logged: string[] = [];
  let nowMs = 0;
  const log = (_: object, message: string) => void logged.push(message);
  const recorder = new Recorder({
    store: fake.store,
    wake: (partition) => void woken.push(partition),
    nowMs: () => nowMs,
    configuration: { isLive: () => true, reloadConfiguration: async () => undefined },
    log: { info: log, warn: log, error: log },
    commitTimeoutMs: 60_000,
    probeIntervalMs: 3_600_000,
    ...change,
  });
  const settled: LateOutcome[] = [];
  const kept: string[] = [];
  return {
    ...fake,
    recorder,
    woken,
    logged,
    settled,
    kept,
    keep: (row: NewAssignment, pending?: Promise<CommitOutcome>) =>
      recorder.keep({
        row,
        assignmentId: `id of ${row.userId}`,
        pending,
        onKept: () => void kept.push(row.userId),
        onDecided: (outcome) => void settled.push(outcome),
      }),
    advance: (ms: number) => {
      nowMs += ms;
    },
  };
}

t.test('a decision is recorded, its partition woken, and the loser learns who won', async (t) => {
  const { recorder, woken } = createWorld();
  t.teardown(() => recorder.close());
  const [first, second] = [newRow('u'), newRow('u')];
  t.same(await recorder.record(first), { kind: 'recorded' });
  t.same(woken, [5]);
  t.match(await recorder.record(second), { kind: 'held', by: { nonce: first.nonce } });
  t.same(woken, [5], 'nothing new, nobody woken');
});

t.test('a user stands once in a statement; the other one is answered with the first', async (t) => {
  const { recorder, statements } = createWorld();
  t.teardown(() => recorder.close());
  const outcomes = await Promise.all([recorder.record(newRow('u')), recorder.record(newRow('u'))]);
  t.same(outcomes.map(({ kind }) => kind).sort(), ['held', 'recorded']);
  t.equal(statements[0]?.length, 1);
});

t.test('deadlocks are run again at once, a bounded number of times', async (t) => {
  const { recorder, failures, statements } = createWorld();
  t.teardown(() => recorder.close());
  failures.push(failure('40P01'), failure('40001'));
  t.same(await recorder.record(newRow('u')), { kind: 'recorded' });
  t.equal(statements.length, 3);
});

t.test('a row that the database refuses does not take its neighbours with it', async (t) => {
  const { recorder } = createWorld();
  t.teardown(() => recorder.close());
  const rows = ['a', 'poison', 'b'].map((userId) => newRow(userId));
  const [a, poison, b] = await Promise.allSettled(rows.map((row) => recorder.record(row)));
  t.match([a, b], [{ value: { kind: 'recorded' } }, { value: { kind: 'recorded' } }]);
  t.match(poison, { status: 'rejected', reason: { code: '22021' } });
});

t.test('while the database is away answers do not wait, and records come in when it is back', async (t) => {
  const world = createWorld();
  const { recorder } = world;
  t.teardown(() => recorder.close());
  world.setAway(true);
  const first = newRow('u1');
  t.match(await recorder.record(first), { kind: 'away', isSent: false, pending: undefined });
  await world.keep(first);
  t.equal(recorder.isAway(), true);
  const nStatements = world.statements.length;
  const second = newRow('u2');
  t.match(await recorder.record(second), { kind: 'away', isSent: false });
  t.equal(world.statements.length, nStatements, 'the open breaker sends nothing');
  await world.keep(second);
  await recorder.probe();
  t.equal(recorder.isAway(), true);
  t.equal(recorder.nUnrecorded(), 2);
  world.setAway(false);
  await recorder.probe();
  t.equal(recorder.isAway(), false);
  t.equal(recorder.nUnrecorded(), 0);
  t.same(
    [...world.recorded.keys()],
    [first, second].map(({ nonce }) => hex(nonce)),
    'the same nonces',
  );
  t.same(world.settled, [{ kind: 'recorded' }, { kind: 'recorded' }]);
  t.same(await recorder.record(newRow('u3')), { kind: 'recorded' });
  t.equal(world.logged.length, 2, 'said once that it was away, once that it is back');
});

t.test('a commit whose answer was lost is recognised as its own, and counted once', async (t) => {
  const world = createWorld();
  t.teardown(() => world.recorder.close());
  for (const row of [newRow('u'), newRow('v', { isSticky: false })]) {
    world.setLosesAnswers(true);
    t.match(await world.recorder.record(row), { kind: 'away', isSent: true });
    await world.keep(row);
    world.setLosesAnswers(false);
    await world.recorder.probe();
  }
  t.same(world.settled, [{ kind: 'recorded' }, { kind: 'recorded' }]);
  t.equal(world.recorded.size, 2);
});

t.test('a record that lost to the database meanwhile is told what stands, and adds no trial', async (t) => {
  const world = createWorld();
  t.teardown(() => world.recorder.close());
  world.setAway(true);
  const row = newRow('u');
  await world.recorder.record(row);
  await world.keep(row);
  world.setAway(false);
  const other = newRow('u');
  await world.store.insertAssignments([other]);
  await world.recorder.probe();
  t.match(world.settled, [{ kind: 'held', by: { nonce: other.nonce } }]);
  t.equal(world.recorded.size, 1);
});

t.test('a hung database is left after the deadline; its late answer settles the decision', async (t) => {
  const world = createWorld({ commitTimeoutMs: 5 });
  t.teardown(() => world.recorder.close());
  const resume = world.hang();
  const row = newRow('u');
  const outcome = await world.recorder.record(row);
  t.match(outcome, { kind: 'away', isSent: true });
  t.equal(world.recorder.isAway(), true);
  await world.keep(row, outcome.kind === 'away' ? outcome.pending : undefined);
  t.equal(world.recorder.nUnrecorded(), 1);
  resume();
  await world.recorder.probe();
  // Its settlement is a few promises behind the commit.
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  t.same(world.settled, [{ kind: 'recorded' }]);
  t.equal(world.recorder.nUnrecorded(), 0);
  t.equal(world.recorder.isAway(), false);
});

t.test('what was not sent when the breaker opened is never sent: it is answered anew', async (t) => {
  const world = createWorld({ commitTimeoutMs: 20 });
  t.teardown(() => world.recorder.close());
  const resume = world.hang();
  const nextTurn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  const rows = ['a', 'b', 'c', 'd', 'e'].map((userId) => newRow(userId));
  const outcomes = [];
  for (const row of rows) {
    outcomes.push(world.recorder.record(row));
    await nextTurn();
  }
  const settled = await Promise.all(outcomes);
  t.match(
    settled,
    rows.map((_, i) => ({ kind: 'away', isSent: i < limits.groupCommitInFlightMax })),
    'two statements hang, the others wait for their turn',
  );
  t.ok(settled.slice(2).every((outcome) => outcome.kind === 'away' && outcome.pending === undefined));
  resume();
  await world.recorder.probe();
  t.equal(world.recorder.isAway(), false);
  t.same(await world.recorder.record(newRow('f')), { kind: 'recorded' });
  t.equal(world.recorded.size, 3);
  t.notOk(rows.slice(2).some(({ nonce }) => world.recorded.has(hex(nonce))));
});

t.test('a database that is only behind does not open the breaker', async (t) => {
  const world = createWorld({ commitTimeoutMs: 100 });
  t.teardown(() => world.recorder.close());
  const [resumeFirst, first] = [world.hang(), world.recorder.record(newRow('u1'))];
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  const resumeSecond = world.hang();
  const second = world.recorder.record(newRow('u2'));
  // The first commit is answered after the second row was handed in, which then runs into its deadline.
  world.advance(1);
  resumeFirst();
  t.match(await first, { kind: 'recorded' });
  t.match(await second, { kind: 'away', isSent: true });
  t.equal(world.recorder.isAway(), false);
  resumeSecond();
});

t.test(
  'several slow commits in a row open the breaker; a slow probe drains but leaves it open',
  async (t) => {
    const world = createWorld({ commitTimeoutMs: 1_000 });
    t.teardown(() => world.recorder.close());
    const slow = async (userId: string) => {
      const resume = world.hang();
      const recording = world.recorder.record(newRow(userId));
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      world.advance(601);
      resume();
      await recording;
    };
    for (let i = 1; i < limits.slowCommitsInARowMax; i++) await slow(`u${i}`);
    t.equal(world.recorder.isAway(), false);
    await slow('last');
    t.equal(world.recorder.isAway(), true);
    const row = newRow('kept');
    await world.keep(row);
    const resume = world.hang();
    const probing = world.recorder.probe();
    world.advance(601);
    resume();
    await probing;
    t.ok(world.recorded.has(hex(row.nonce)), 'what waited came in');
    t.equal(world.recorder.isAway(), true, 'but requests do not wait for it');
    await world.recorder.probe();
    t.equal(world.recorder.isAway(), false);
  },
);

t.test('a long drain behind a slow probe does not keep the breaker open until its end', async (t) => {
  const world = createWorld({ commitTimeoutMs: 1_000, probeIntervalMs: 500 });
  t.teardown(() => world.recorder.close());
  world.setAway(true);
  await world.recorder.record(newRow('first'));
  const nRows = 3 * limits.groupCommitRowsMax;
  for (let i = 0; i < nRows; i++) await world.keep(newRow(`u${i}`));
  world.setAway(false);
  const resume = world.hang();
  const probing = world.recorder.probe();
  world.advance(601);
  const insert = world.store.insertAssignments;
  world.store.insertAssignments = (rows) => {
    world.advance(501);
    return insert(rows);
  };
  resume();
  await probing;
  t.equal(world.recorder.nUnrecorded(), nRows - limits.groupCommitRowsMax, 'one group, then the next probe');
  t.equal(world.recorder.isAway(), true);
  await world.recorder.probe();
  t.equal(world.recorder.isAway(), false);
  t.equal(world.recorder.nUnrecorded(), 0);
});

t.test('what may wait is bounded: past it 503', async (t) => {
  const world = createWorld({ unrecordedMax: 2 });
  t.teardown(() => world.recorder.close());
  world.setAway(true);
  await world.keep(newRow('a'));
  await world.keep(newRow('b'));
  await t.rejects(world.keep(newRow('c')), { code: 'STORE_UNAVAILABLE', statusCode: 503 });
});

t.test('a kept row that the database refuses is dropped with a warning, the others come in', async (t) => {
  const world = createWorld();
  t.teardown(() => world.recorder.close());
  for (const userId of ['a', 'poison', 'b', 'c']) await world.keep(newRow(userId));
  await world.recorder.probe();
  t.equal(world.recorded.size, 3);
  t.equal(world.recorder.nUnrecorded(), 0);
  t.match(world.logged.at(-1), 'never be recorded');
});

t.test('close tries once more to bring in what waits, and names what is lost', async (t) => {
  const saved = createWorld();
  await saved.keep(newRow('a'));
  await saved.recorder.close();
  t.equal(saved.recorded.size, 1);
  const lost = createWorld();
  lost.setAway(true);
  await lost.keep(newRow('a'));
  await lost.recorder.close();
  t.match(lost.logged.at(-1), 'never recorded');
  await t.rejects(lost.recorder.record(newRow('b')), { code: 'SHUTTING_DOWN' });
});
