import fc from 'fast-check';
import t from 'tap';
import { createGroupCommit, OutcomeUnknownError } from '../src/index.ts';

const seed = 20_260_301;
console.log(`# seed ${seed}`);

interface OpenCommit {
  readonly rows: readonly number[];
  readonly succeed: () => void;
  readonly fail: (error: unknown) => void;
}

/** A store whose commits end when the test says so; a row's result is ten times the row. */
function manualStore() {
  const open: OpenCommit[] = [];
  const commit = (rows: readonly number[]) => {
    const { promise, resolve, reject } = Promise.withResolvers<number[]>();
    open.push({ rows, succeed: () => resolve(rows.map((row) => row * 10)), fail: reject });
    return promise;
  };
  return { open, commit, take: () => open.shift() as OpenCommit };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const coded = (code: string) => Object.assign(new Error(code), { code });
const bounds = { rowsMax: 3, queueMax: 5, inFlightMax: 2 };

t.test('rows of one turn share a commit; what waits goes out when a slot is free', async (t) => {
  const store = manualStore();
  const group = createGroupCommit({ ...bounds, commit: store.commit });
  const results = [1, 2].map((row) => group.submit(row));
  t.equal(group.depth(), 2);
  await turn();
  results.push(group.submit(3));
  await turn();
  t.strictSame(
    store.open.map((commit) => commit.rows),
    [[1, 2], [3]],
    'two in flight',
  );
  results.push(...[4, 5, 6, 7].map((row) => group.submit(row)));
  await turn();
  t.equal(store.open.length, 2, 'and never a third');
  store.take().succeed();
  await turn();
  await turn();
  t.strictSame(
    store.open.map((commit) => commit.rows),
    [[3], [4, 5, 6]],
    'rowsMax at most',
  );
  t.equal(group.depth(), 1);
  store.take().succeed();
  store.take().succeed();
  await turn();
  await turn();
  store.take().succeed();
  t.strictSame(await Promise.all(results), [10, 20, 30, 40, 50, 60, 70]);
});

t.test('past the bound a row is refused at once and nothing of it is sent', async (t) => {
  const store = manualStore();
  const group = createGroupCommit({ ...bounds, commit: store.commit });
  const accepted = group.submitMany([1, 2, 3, 4, 5]);
  await t.rejects(group.submit(6), { code: 'OVERLOADED' });
  await t.rejects(group.submitMany([6, 7]), { code: 'OVERLOADED' }, 'all or none');
  await turn();
  t.strictSame(
    store.open.map((commit) => commit.rows),
    [
      [1, 2, 3],
      [4, 5],
    ],
  );
  store.take().succeed();
  store.take().succeed();
  t.strictSame(
    (await accepted).map((settled) => settled.status),
    Array(5).fill('fulfilled'),
  );
});

t.test('a failing commit rejects its own rows only', async (t) => {
  const store = manualStore();
  const group = createGroupCommit({ ...bounds, commit: store.commit });
  const settled = group.submitMany([1, 2, 3, 4]);
  await turn();
  store.take().fail(coded('42601'));
  store.take().succeed();
  t.match(await settled, [
    { status: 'rejected', reason: { code: '42601' } },
    { status: 'rejected', reason: { code: '42601' } },
    { status: 'rejected', reason: { code: '42601' } },
    { status: 'fulfilled', value: 40 },
  ]);
});

t.test('an unknown outcome has an error of its own', async (t) => {
  for (const cause of [coded('ECONNRESET'), new Error('Query read timeout'), coded('57P01')]) {
    const store = manualStore();
    const group = createGroupCommit({ ...bounds, commit: store.commit });
    const result = group.submit(1);
    await turn();
    store.take().fail(cause);
    await t.rejects(result, { name: 'OutcomeUnknownError', cause });
    await t.rejects(result, OutcomeUnknownError);
  }
});

t.test('a wrong number of results is our mistake, never a wrong answer', async (t) => {
  const group = createGroupCommit<number, number>({ ...bounds, commit: async () => [1] });
  t.match(await group.submitMany([1, 2]), [
    { status: 'rejected', reason: { message: 'a commit of 2 rows returned 1 results' } },
    { status: 'rejected' },
  ]);
});

t.test('closing refuses new rows, drains the others and may be called twice', async (t) => {
  const store = manualStore();
  const group = createGroupCommit({ ...bounds, commit: store.commit });
  const settled = group.submitMany([1, 2, 3, 4, 5]);
  let isClosed = false;
  const closed = group.close().then(() => {
    isClosed = true;
  });
  await t.rejects(group.submit(6), { code: 'SHUTTING_DOWN' });
  await turn();
  store.take().succeed();
  await turn();
  t.notOk(isClosed);
  store.take().fail(coded('42601'));
  await closed;
  t.match(await settled, [{ value: 10 }, { value: 20 }, { value: 30 }, { status: 'rejected' }, {}]);
  await group.close();
  await createGroupCommit({ ...bounds, commit: store.commit }).close();
});

t.test('a row with a bad value fails alone, whatever the arrivals, groups and failures', async () => {
  const rows = fc.array(fc.integer({ min: 0, max: 999 }), { maxLength: 40 });
  const shape = fc.record({
    rowsMax: fc.integer({ min: 1, max: 9 }),
    inFlightMax: fc.integer({ min: 1, max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(rows, { maxLength: 5 }), shape, async (arrivals, { rowsMax, inFlightMax }) => {
      const stored: number[] = [];
      let nInFlight = 0;
      let nInFlightMost = 0;
      const commit = async (group: readonly number[]) => {
        nInFlight += 1;
        nInFlightMost = Math.max(nInFlightMost, nInFlight);
        if (group.length === 0 || group.length > rowsMax) throw new Error(`a group of ${group.length}`);
        await turn();
        nInFlight -= 1;
        if (group.some((row) => row % 7 === 0)) throw coded('22021');
        stored.push(...group);
        return group.map((row) => row * 10);
      };
      const group = createGroupCommit({ commit, rowsMax, inFlightMax, queueMax: 1_000 });
      const pending = [];
      for (const arrival of arrivals) {
        pending.push(group.submitMany(arrival));
        await turn();
      }
      const settled = (await Promise.all(pending)).flat();
      await group.close();
      const submitted = arrivals.flat();
      const good = submitted.filter((row) => row % 7 !== 0);
      submitted.forEach((row, index) => {
        const outcome = settled[index];
        const isRight =
          row % 7 === 0
            ? outcome?.status === 'rejected' && outcome.reason.code === '22021'
            : outcome?.status === 'fulfilled' && outcome.value === row * 10;
        if (!isRight) throw new Error(`row ${row} at ${index}: ${JSON.stringify(outcome)}`);
      });
      if (nInFlightMost > inFlightMax) throw new Error(`${nInFlightMost} in flight`);
      // Each good row exactly once; in order of arrival where one commit runs at a time.
      const expected = inFlightMax === 1 ? good : good.toSorted((a, b) => a - b);
      const actual = inFlightMax === 1 ? stored : stored.toSorted((a, b) => a - b);
      if (actual.join() !== expected.join()) throw new Error(`stored ${actual}, expected ${expected}`);
    }),
    { seed, numRuns: 150 },
  );
});
