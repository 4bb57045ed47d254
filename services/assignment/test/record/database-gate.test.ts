import { limits } from '@bandit/contracts';
import t from 'tap';
import { DatabaseGate } from '../../src/record/database-gate.ts';

const timeoutMs = 1_000;
const slowMs = 601;

function createWorld(change: Partial<ConstructorParameters<typeof DatabaseGate>[0]> = {}) {
  let nowMs = 0;
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const gate = new DatabaseGate({
    probe: async () => undefined,
    onAlive: async () => undefined,
    hasWork: () => false,
    timeoutMs,
    probeIntervalMs: 3_600_000,
    nowMs: () => nowMs,
    log,
    ...change,
  });
  const advance = (ms: number) => {
    nowMs += ms;
  };
  /** Commits one after another, each so long. */
  const commit = (n: number, ms: number) => {
    for (let i = 0; i < n; i++) {
      const startedMs = nowMs;
      nowMs += ms;
      gate.noticeCommit(startedMs);
    }
  };
  return { gate, advance, commit, nowMs: () => nowMs };
}

t.test('commits that are slow, but not as slow as that, never shut it', async (t) => {
  const { gate, commit } = createWorld();
  t.teardown(() => gate.close());
  // 110 ms of 250 are 440 of 1,000.
  commit(1_000, 440);
  t.equal(gate.isShut(), false);
});

t.test('several slow commits in a row shut it; a quick one among them starts the count again', async (t) => {
  const { gate, commit } = createWorld();
  t.teardown(() => gate.close());
  for (let i = 0; i < 10; i++) {
    commit(limits.slowCommitsInARowMax - 1, slowMs);
    commit(1, 10);
  }
  t.equal(gate.isShut(), false);
  commit(limits.slowCommitsInARowMax, slowMs);
  t.equal(gate.isShut(), true);
});

t.test('a stall that many commits run into at once is no reason, one that lasts is', async (t) => {
  const { gate, advance, nowMs } = createWorld();
  t.teardown(() => gate.close());
  const startedMs = nowMs();
  advance(slowMs);
  for (let i = 0; i < 3 * limits.slowCommitsInARowMax; i++) gate.noticeCommit(startedMs);
  t.equal(gate.isShut(), false, 'all of them within less than a second');
  advance(limits.slowCommitsWindowMs - slowMs);
  gate.noticeCommit(startedMs);
  t.equal(gate.isShut(), true);
});

t.test('when it shuts, every wait ends', async (t) => {
  const { gate } = createWorld({ timeoutMs: 3_600_000 });
  t.teardown(() => gate.close());
  const never = new Promise<void>(() => undefined);
  const waits = Array.from({ length: 50 }, () => gate.wait(never));
  const failure = Object.assign(new Error('gone'), { code: 'ECONNREFUSED' });
  t.same(await gate.wait(Promise.reject(failure)), { kind: 'failed', error: failure });
  t.ok((await Promise.all(waits)).every(({ kind }) => kind === 'late'));
  t.equal(gate.isShut(), true);
});

t.test('an error that does not say the database is away is passed on and shuts nothing', async (t) => {
  const { gate } = createWorld();
  t.teardown(() => gate.close());
  await t.rejects(gate.wait(Promise.reject(Object.assign(new Error('bad'), { code: '22021' }))), /bad/);
  t.equal(gate.isShut(), false);
});

t.test('one answer since tells a database that is behind from one that hangs', async (t) => {
  const { gate, advance } = createWorld({ timeoutMs: 20 });
  t.teardown(() => gate.close());
  const never = new Promise<void>(() => undefined);
  const waiting = gate.wait(never);
  advance(1);
  gate.noticeAnswer();
  t.same(await waiting, { kind: 'late' });
  t.equal(gate.isShut(), false);
  t.same(await gate.wait(never), { kind: 'late' });
  t.equal(gate.isShut(), true);
});
