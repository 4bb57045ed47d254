/** What every implementation of the RecordStream port promises. */
import type { RecordStream } from '@bandit/contracts';
import type { Test } from 'tap';
import { until } from './until.ts';

export interface RecordsUnderTest {
  /** One process's half of the same stream. */
  connect(): Promise<RecordStream>;
}

const timeoutMs = 5_000;
const encode = (text: string) => new TextEncoder().encode(text);
const decode = (payload: Uint8Array) => new TextDecoder().decode(payload);
const numbered = (n: number, from = 0) => Array.from({ length: n }, (_, i) => `r${from + i}`);

async function putAll(records: RecordStream, ids: readonly string[]): Promise<void> {
  for (const id of ids) await records.put({ id, payload: encode(id) }, timeoutMs);
}

/** A consumer that notes the groups it gets. */
async function gather(records: RecordStream, options: { mayTake?: () => boolean } = {}) {
  const groups: string[][] = [];
  const handler = async (payloads: readonly Uint8Array[]) => {
    groups.push(payloads.map(decode));
  };
  const subscription = await records.drain(handler, options.mayTake ?? (() => true));
  return { groups, all: () => groups.flat(), close: () => subscription.close() };
}

export async function testRecordStreamContract(
  t: Test,
  setUp: (t: Test) => Promise<RecordsUnderTest>,
): Promise<void> {
  await t.test(
    'what was put comes, oldest first, in groups of at most 200, and is forgotten',
    async (t: Test) => {
      const { connect } = await setUp(t);
      const [sender, receiver] = [await connect(), await connect()];
      await putAll(sender, numbered(450));
      await until(() => sender.nKept() === 450, 'the count of what is kept');
      t.equal(await receiver.isDrained(timeoutMs), false);
      const got = await gather(receiver);
      await until(() => got.all().length >= 450, 'all records');
      t.strictSame(got.all(), numbered(450));
      t.ok(got.groups.every((group) => group.length <= 200));
      await until(() => sender.nKept() === 0 && receiver.nKept() === 0, 'nothing kept');
      t.equal(await sender.isDrained(timeoutMs), true);
      await putAll(sender, ['one more']);
      await until(() => got.all().length === 451, 'it came');
      await until(() => sender.isDrained(timeoutMs), 'acknowledged: asked, not remembered');
      await got.close();
      const later = await gather(await connect());
      await putAll(sender, ['late']);
      await until(() => later.all().length > 0, 'the late record');
      t.strictSame(later.all(), ['late'], 'what is done does not come again');
    },
  );

  await t.test('a repeated id is kept once', async (t: Test) => {
    const { connect } = await setUp(t);
    const records = await connect();
    await putAll(records, ['a', 'b', 'a', 'b', 'c']);
    const got = await gather(records);
    await until(() => got.all().length >= 3, 'three records');
    await putAll(records, ['a', 'd']);
    await until(() => got.all().length >= 4, 'the fourth');
    t.strictSame(got.all(), ['a', 'b', 'c', 'd']);
  });

  await t.test('a group whose handler rejects comes again', async (t: Test) => {
    const { connect } = await setUp(t);
    const records = await connect();
    await putAll(records, numbered(5));
    const tried: string[][] = [];
    await records.drain(
      async (payloads) => {
        tried.push(payloads.map(decode));
        if (tried.length < 3) throw new Error('the database is away');
      },
      () => true,
    );
    await until(() => new Set(tried.slice(2).flat()).size === 5, 'every record after the failures');
    t.ok(tried.length >= 3);
    await until(() => records.nKept() === 0, 'nothing kept');
  });

  await t.test('nothing is taken while mayTake says false, and it is asked again', async (t: Test) => {
    const { connect } = await setUp(t);
    const records = await connect();
    await putAll(records, ['a']);
    let isAllowed = false;
    let nAsked = 0;
    const mayTake = () => {
      nAsked += 1;
      return isAllowed;
    };
    const got = await gather(records, { mayTake });
    await until(() => nAsked >= 3, 'three questions');
    t.strictSame(got.all(), []);
    isAllowed = true;
    await until(() => got.all().length === 1, 'the record');
    isAllowed = false;
    const nAskedBefore = nAsked;
    await putAll(records, ['b']);
    await until(() => nAsked >= nAskedBefore + 2, 'two more questions');
    t.strictSame(got.all(), ['a']);
  });

  await t.test(
    'consumers of several processes share the records, one group at a time each',
    async (t: Test) => {
      const { connect } = await setUp(t);
      const sender = await connect();
      const nRecords = 1_000;
      await Promise.all(numbered(nRecords).map((id) => putAll(sender, [id])));
      const got: string[] = [];
      const drainOne = async () => {
        const records = await connect();
        let nRunning = 0;
        let nGroups = 0;
        await records.drain(
          async (payloads) => {
            nRunning += 1;
            nGroups += 1;
            t.equal(nRunning, 1, 'one group at a time');
            await new Promise((resolve) => setTimeout(resolve, 20));
            got.push(...payloads.map(decode));
            nRunning -= 1;
          },
          () => true,
        );
        return () => nGroups;
      };
      const [one, two] = [await drainOne(), await drainOne()];
      await until(() => got.length >= nRecords, 'all records');
      t.strictSame([...got].sort(), numbered(nRecords).sort(), 'each came once');
      t.ok(one() > 0 && two() > 0, 'both had some');
    },
  );

  await t.test('closing waits for the group in hand and takes nothing more', async (t: Test) => {
    const { connect } = await setUp(t);
    const records = await connect();
    await putAll(records, ['a']);
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const steps: string[] = [];
    const drain = await records.drain(
      async (payloads) => {
        start();
        await gate;
        steps.push(...payloads.map(decode));
      },
      () => true,
    );
    await started;
    const closed = drain.close().then(() => steps.push('closed'));
    open();
    await closed;
    t.strictSame(steps, ['a', 'closed']);
    await putAll(records, ['b']);
    const got = await gather(records);
    await until(() => got.all().length >= 1, 'the next record');
    t.strictSame(got.all(), ['b'], 'the group in hand was done');
    t.strictSame(steps, ['a', 'closed']);
  });
}
