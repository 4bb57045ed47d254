import { type Kysely, sql } from 'kysely';
import t from 'tap';
import {
  createDatabaseClock,
  type Database,
  ensureFactPartitions,
  ensureLogEpoch,
  insertMacKey,
  isOutcomeUnknown,
  isStoreUnavailable,
  isUniqueViolation,
  loadMacKeys,
  migrate,
  openDatabase,
  partitionOfExperiment,
} from '../src/index.ts';
import { testLog } from '../src/testing/test-scope.ts';
import { forEachStore } from '../src/testing.ts';

t.setTimeout(120_000);

const quiet = { ...testLog, warn: () => undefined };
const monthMs = 31 * 86_400_000;

async function readBatches(db: Kysely<Database>) {
  const { rows } = await sql<{ current: number; settled: number }>`
    select current_batch() as current, settled_batch() as settled`.execute(db);
  return rows[0] as { current: number; settled: number };
}

t.test('the database', (t) =>
  forEachStore(t, async (t, { db, kind, target, open }) => {
    t.test('a pool tells its connections and who waits for one', async (t) => {
      const { db: pooled, poolCounts, close } = openDatabase({ ...target, max: 1, log: quiet });
      t.teardown(close);
      t.strictSame(poolCounts(), { total: 0, idle: 0, waiting: 0 }, 'it connects on first use');
      await pooled.connection().execute(async (held) => {
        await sql`select 1`.execute(held);
        const second = sql`select 1`.execute(pooled);
        // The second has asked by the next turn.
        await new Promise((resolve) => setImmediate(resolve));
        t.strictSame(poolCounts(), { total: 1, idle: 0, waiting: 1 });
        void second.catch(() => undefined);
      });
      await sql`select 1`.execute(pooled);
      t.match(poolCounts(), { total: 1, waiting: 0 });
    });

    t.test('values come back as numbers, days as text, bytes as buffers', async (t) => {
      const { rows } =
        await sql`select 9007199254740991::int8 as int8, sum(x) as total, date '2026-02-28' as day,
        array[1, null]::int8[] as int8s, array[date '2026-01-01'] as days, array[1.5, 2]::numeric[] as numerics,
        ${Buffer.from([1, 2])}::bytea as bytes, '{"a":[1]}'::jsonb as json,
        timestamptz '2026-01-02 03:04:05.678+00' as at
        from (values (1::int8), (2)) v(x)`.execute(db);
      t.strictSame(rows, [
        {
          int8: 9007199254740991,
          total: 3,
          day: '2026-02-28',
          int8s: [1, null],
          days: ['2026-01-01'],
          numerics: [1.5, 2],
          bytes: Buffer.from([1, 2]),
          json: { a: [1] },
          at: new Date('2026-01-02T03:04:05.678Z'),
        },
      ]);
    });

    t.test('a MAC key is kept once under its id, the newest comes first', async (t) => {
      t.equal(await insertMacKey(db, 'k1', Buffer.from([1])), true);
      t.equal(await insertMacKey(db, 'k1', Buffer.from([9])), false);
      t.equal(await insertMacKey(db, 'k2', Buffer.from([2])), true);
      t.match(await loadMacKeys(db), [
        { id: 'k2', wrapped: Buffer.from([2]) },
        { id: 'k1', wrapped: Buffer.from([1]) },
      ]);
    });

    t.test('a healthy log keeps its epoch, whatever is written meanwhile', async (t) => {
      const batch = sql<number>`current_batch()`;
      const write = () => db.insertInto('fact_batches').values({ partition: 0, batch }).execute();
      const work = Array.from({ length: 40 }, (_, i) => (i % 4 === 0 ? ensureLogEpoch(db) : write()));
      const epochs = (await Promise.all(work)).filter((result) => typeof result === 'number');
      t.strictSame(new Set(epochs), new Set([0]));
      await t.rejects(
        db.transaction().execute(async (trx) => {
          await trx.insertInto('fact_batches').values({ partition: 1, batch }).execute();
          await ensureLogEpoch(trx);
        }),
        /must be the first statement/,
      );
    });

    t.test('a log from a server further on opens the next epoch, once', async (t) => {
      const before = await readBatches(db);
      const future = before.current + 1_000_000;
      await db.insertInto('fact_batches').values({ partition: 0, batch: future }).execute();
      const epochs = await Promise.all([ensureLogEpoch(db), ensureLogEpoch(db), ensureLogEpoch(db)]);
      t.strictSame(epochs, [1, 1, 1]);
      const after = await readBatches(db);
      t.ok(
        after.current > future && after.settled > future,
        'what is written now comes after everything restored',
      );
      t.equal(Math.floor(after.current / 2 ** 42), 1);
      await db
        .updateTable('learner_partitions')
        .set({ cursor_batch: after.current + 1_000_000 })
        .execute();
      t.equal(await ensureLogEpoch(db), 2, 'a cursor further on counts too: its facts may have been dropped');
      t.equal(await ensureLogEpoch(db), 2);
    });

    t.test('facts go to the partition of their month; a month without one is caught', async (t) => {
      await ensureFactPartitions(db, 2);
      await ensureFactPartitions(db, 3);
      const nowMs = (await sql<{ ms: number }>`select extract(epoch from now()) * 1000 as ms`.execute(db))
        .rows[0]?.ms as number;
      await seedTreatment(db);
      for (const [nonce, monthsAhead] of [1, 8, 26].entries()) {
        await db
          .insertInto('assignments')
          .values(assignmentAt(nonce, new Date(nowMs + monthsAhead * monthMs)))
          .execute();
      }
      const { rows } = await sql<{ name: string; n: number }>`
        select tableoid::regclass::text as name, count(*) as n from assignments group by 1 order by 1`.execute(
        db,
      );
      t.match(rows, [
        { name: /^assignments_\d{4}_\d{2}$/, n: 1 },
        { name: 'assignments_default', n: 2 },
      ]);
      // The month of a row in the default partition gets no partition of its own; the others do.
      const notices = openDatabase({ ...target, log: quiet });
      await ensureFactPartitions(notices.db, 10);
      await notices.close();
      const made = await sql<{ parent: string; n: number }>`
        select inhparent::regclass::text as parent, count(*) as n from pg_inherits
        where inhparent in ('assignments'::regclass, 'events'::regclass) group by 1 order by 1`.execute(db);
      t.strictSame(made.rows, [
        { parent: 'assignments', n: 11 },
        { parent: 'events', n: 12 },
      ]);
      await t.rejects(ensureFactPartitions(db, -1), /from 0 to 24, got -1/);
    });

    t.test('a repeated key is told apart by its constraint', async (t) => {
      await db.insertInto('companies').values({ id: 'cmp_twice', name: 'x' }).execute();
      const again = db.insertInto('companies').values({ id: 'cmp_twice', name: 'x' }).execute();
      const error = await again.catch((reason: unknown) => reason);
      t.ok(isUniqueViolation(error, 'companies_pkey'));
      t.notOk(isStoreUnavailable(error));
    });

    t.test('the clock is the database clock', async (t) => {
      let localMs = 0;
      const clock = createDatabaseClock({ db, monotonicMs: () => localMs, pollMs: 0 });
      await clock.refresh();
      const first = clock.nowMs();
      localMs = 60_000;
      t.equal(clock.nowMs(), first + 60_000);
      const { rows } = await sql<{
        ms: number;
      }>`select extract(epoch from clock_timestamp()) * 1000 as ms`.execute(db);
      t.ok((rows[0]?.ms as number) - first < 60_000, 'within a minute of it, however slow this machine is');
      await clock.close();
    });

    t.test('a statement past its deadline is given up, its connection is not used again', async (t) => {
      const hurried = openDatabase({ ...target, statementTimeoutMs: 100, max: 1, log: quiet });
      t.teardown(hurried.close);
      const error = await sql`select pg_sleep(0.5)`.execute(hurried.db).catch((reason: unknown) => reason);
      t.ok(isStoreUnavailable(error));
      t.equal(
        isOutcomeUnknown(error),
        kind === 'pglite',
        'only a server that answers says what became of it',
      );
      const patient = open({ statementTimeoutMs: 5_000, max: 1 });
      t.match((await sql`select 1 as one`.execute(patient)).rows, [{ one: 1 }]);
      t.match((await sql`select 2 as two`.execute(hurried.db)).rows, [{ two: 2 }]);
    });

    t.test(
      'a connection that the server cuts, idle or in use, is replaced',
      { skip: kind === 'pglite' && 'PGlite has one session' },
      async (t) => {
        const { db: victim, close } = openDatabase({ ...target, max: 1, log: quiet });
        t.teardown(close);
        const pid = async () =>
          (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(victim)).rows[0]?.pid as number;
        const cut = (backend: number) => sql`select pg_terminate_backend(${backend}, 5000)`.execute(db);
        const first = await pid();
        const busy = sql`select pg_sleep(30)`.execute(victim).catch((reason: unknown) => reason);
        await cut(first);
        const error = await busy;
        t.ok(isStoreUnavailable(error) && isOutcomeUnknown(error));
        const second = await pid();
        t.not(second, first);
        await cut(second);
        await new Promise((resolve) => setImmediate(resolve));
        const third = await pid().catch(pid);
        t.not(third, second);
      },
    );

    // Last: it takes the schema away.
    t.test('two migrators at one time: one works, the other finds nothing to do', async (t) => {
      await sql`drop schema public cascade`.execute(db);
      await sql`create schema public`.execute(db);
      const one = open({ statementTimeoutMs: 60_000 });
      const two = open({ statementTimeoutMs: 60_000 });
      const done = await Promise.all([migrate(one), migrate(two)]);
      t.equal(done.filter((names) => names.length > 0).length, 1);
      t.equal(done.flat()[0], '0001-tenants');
      t.strictSame(await migrate(db), []);
      await sql`drop table learner_partitions cascade; delete from kysely_migration where name >= '0003'`.execute(
        db,
      );
      await t.rejects(migrate(db), {
        message: /migration 0003-learner failed: .*folds.*exists/,
        code: '42P07',
      });
      const { rows } = await sql`select to_regclass('learner_partitions') as found`.execute(db);
      t.strictSame(rows, [{ found: null }], 'a failed migration leaves nothing behind');
    });
  }),
);

async function seedTreatment(db: Kysely<Database>) {
  await db.insertInto('companies').values({ id: 'cmp_f', name: 'f' }).execute();
  await db
    .insertInto('experiments')
    .values({
      company_id: 'cmp_f',
      id: 'exp_f',
      partition: partitionOfExperiment('exp_f'),
      name: 'f',
      algorithm: 'UCB1',
      content_type: 'PLAIN_TEXT',
      assignment_ttl: 60,
    })
    .execute();
  await db
    .insertInto('treatments')
    .values({
      company_id: 'cmp_f',
      experiment_id: 'exp_f',
      id: 'trt_f',
      position: 0,
      name: 'f',
      config: JSON.stringify({ content: 'f' }),
      weight: 1,
    })
    .execute();
}

const assignmentAt = (nonce: number, at: Date) => ({
  company_id: 'cmp_f',
  experiment_id: 'exp_f',
  treatment_id: 'trt_f',
  nonce: Buffer.alloc(16, nonce),
  user_id: 'u',
  assigned_at: at,
  expires_at: at,
  propensity: 1,
  confidence: 0.5,
  state_version: 0,
  source: 'draw' as const,
  mac_key_id: 'k1',
  is_first: true,
  partition: 0,
  position: nonce,
});

t.test('a partition is the first four bytes of SHA-256, modulo their number', async (t) => {
  // `printf exp_a | sha256sum` begins with e852414f.
  t.equal(partitionOfExperiment('exp_a'), 0xe852414f % 16);
  const counts = new Array<number>(16).fill(0);
  for (let i = 0; i < 16_000; i += 1) (counts[partitionOfExperiment(`exp_${i}`)] as number)++;
  // 1,000 expected each; five standard errors (31) either way.
  t.ok(
    counts.every((count) => Math.abs(count - 1_000) < 155),
    counts.join(' '),
  );
});
