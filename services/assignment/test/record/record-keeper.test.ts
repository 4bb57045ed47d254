import { randomBytes } from 'node:crypto';
import { limits } from '@bandit/contracts';
import t from 'tap';
import { createLateCounts } from '../../src/record/late-counts.ts';
import { RecordKeeper } from '../../src/record/record-keeper.ts';
import type { AssignmentRecord } from '../../src/record/record-message.ts';
import { UnrecordedQueue } from '../../src/record/unrecorded-queue.ts';
import { createFakeRecordStream } from '../fake-record-stream.ts';

function newRecord(): AssignmentRecord {
  const row = {
    companyId: 'cmp_1',
    experimentId: 'exp_1',
    treatmentId: 'trt_a',
    partition: 5,
    userId: 'u',
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
  };
  return { row, assignmentId: 'asgn_x' };
}

function createWorld() {
  const records = createFakeRecordStream();
  const queue = new UnrecordedQueue();
  const counts = createLateCounts();
  const logged: string[] = [];
  const note = (_: object, message: string) => void logged.push(message);
  let nowMs = 0;
  const keeper = new RecordKeeper({
    records,
    queue,
    counts,
    probeIntervalMs: 3_600_000,
    nowMs: () => nowMs,
    log: { info: note, warn: note, error: note },
  });
  const kept: AssignmentRecord[] = [];
  /** What the recorder does with each. */
  const put = async (tookMs = 0) => {
    const record = newRecord();
    nowMs += tookMs;
    const isKept = await keeper.put(record);
    queue.add({ record, isKept, onKept: () => void kept.push(record), onDecided: () => undefined });
    return isKept;
  };
  const advance = (ms: number) => {
    nowMs += ms;
  };
  return { records, queue, counts, logged, keeper, kept, put, advance };
}

t.test('a stall that fails many puts at once opens nothing', async (t) => {
  const { records, keeper, put } = createWorld();
  t.teardown(() => keeper.close());
  records.setAway(true);
  for (let i = 0; i < 100; i++) await put(limits.recordPutFailuresWindowMs / 101);
  t.equal(keeper.isAway(), false);
  await put(limits.recordPutFailuresWindowMs / 50);
  t.equal(keeper.isAway(), true);
});

t.test('several failures in a row: nobody waits any more, and a probe brings it back', async (t) => {
  const { records, queue, counts, logged, keeper, kept, put } = createWorld();
  t.teardown(() => keeper.close());
  t.equal(await put(), true);
  records.setAway(true);
  for (let i = 0; i < limits.recordPutFailuresInARowMax; i++) {
    t.equal(keeper.isAway(), false);
    t.equal(await put(i === 0 ? 0 : limits.recordPutFailuresWindowMs), false);
  }
  t.equal(keeper.isAway(), true);
  const nPuts = records.nPuts();
  for (let i = 0; i < 500; i++) t.equal(await put(), false);
  t.equal(records.nPuts(), nPuts, 'the open breaker sends nothing');
  await keeper.probe();
  t.equal(keeper.isAway(), true);
  records.setAway(false);
  await keeper.probe();
  t.equal(keeper.isAway(), false);
  t.equal(records.kept.length, 504, 'and all that waited is kept, each once');
  t.equal(kept.length, 503);
  t.equal(queue.nUnkept, 0);
  t.equal(queue.length, 504, 'memory keeps its own until the database has them');
  t.match(counts.puts, { kept: 504, failed: limits.recordPutFailuresInARowMax + 1 });
  t.same(logged, [
    'answered assignments wait in memory alone for now: RECORDS is away',
    'answered assignments are kept in RECORDS again',
  ]);
  t.equal(await put(), true);
});

t.test('one failure between others opens nothing; the row is put again by and by', async (t) => {
  const { records, keeper, kept, put } = createWorld();
  t.teardown(() => keeper.close());
  for (let i = 0; i < 3 * limits.recordPutFailuresInARowMax; i++) {
    records.setAway(i % 2 === 0);
    t.equal(await put(limits.recordPutFailuresWindowMs), i % 2 === 1);
  }
  t.equal(keeper.isAway(), false);
  records.setAway(false);
  await keeper.probe();
  t.equal(records.kept.length, 3 * limits.recordPutFailuresInARowMax);
  t.equal(kept.length, records.kept.length / 2 + 0.5);
});

t.test('RECORDS that does not answer costs an answer no more than its deadline', async (t) => {
  const { records, keeper, put } = createWorld();
  t.teardown(() => keeper.close());
  const resume = records.hang();
  for (const ms of [0, 100, 100, 100]) t.equal(await put(ms), false);
  t.equal(keeper.isAway(), true);
  t.equal(await put(), false);
  resume();
  await keeper.probe();
  t.equal(keeper.isAway(), false);
  t.equal(records.kept.length, 5, 'one that arrived late is recognised by its id');
});

t.test('RECORDS that answers slowly gets what waits, but no answer waits for it', async (t) => {
  const { records, queue, keeper, put, advance } = createWorld();
  t.teardown(() => keeper.close());
  records.setAway(true);
  for (let i = 0; i < 5; i++) await put(100);
  records.setAway(false);
  const resume = records.hang();
  const probing = keeper.probe();
  advance(limits.recordPutTimeoutMs + 1);
  resume();
  await probing;
  t.equal(queue.nUnkept, 0);
  t.equal(keeper.isAway(), true);
});

t.test('without a stream nothing is kept and nothing probed', async (t) => {
  const queue = new UnrecordedQueue();
  const fail = () => t.fail('nothing to log');
  const keeper = new RecordKeeper({
    records: undefined,
    queue,
    counts: createLateCounts(),
    probeIntervalMs: 1,
    nowMs: () => 0,
    log: { info: fail, warn: fail, error: fail },
  });
  t.teardown(() => keeper.close());
  t.equal(keeper.isAway(), true);
  t.equal(await keeper.put(newRecord()), false);
  queue.add({ record: newRecord(), isKept: false, onKept: fail, onDecided: fail });
  keeper.watch();
  await keeper.probe();
  t.equal(queue.nUnkept, 1);
});
