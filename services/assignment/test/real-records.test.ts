/** RECORDS on a NATS of the test's own, with a Postgres of its own that is killed: what was answered comes in by itself. */
import { createNatsBus } from '@bandit/bus';
import { createInProcessCache } from '@bandit/cache';
import { limits } from '@bandit/contracts';
import { migrate, type OpenedDatabase, openDatabase } from '@bandit/db';
import { hasNatsServer, hasPostgresServer, startNats, startPostgres } from '@bandit/test-stores';
import t, { type Test } from 'tap';
import {
  addCompany,
  addExperiment,
  type Instance,
  ids,
  recordedAssignments,
  silent,
  startInstance,
} from './harness.ts';

type Db = OpenedDatabase['db'];

t.setTimeout(180_000);

const clock = {
  get nowMs() {
    return Math.floor(Date.now());
  },
};

async function until(
  isTrue: () => boolean | Promise<boolean>,
  what: string,
  msMax = 30_000,
): Promise<number> {
  const startedMs = performance.now();
  while (!(await isTrue())) {
    if (performance.now() - startedMs > msMax) throw new Error(`not within ${msMax} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return performance.now() - startedMs;
}

async function createWorld(t: Test) {
  const [postgres, nats] = await Promise.all([startPostgres(), startNats()]);
  t.teardown(() => Promise.all([postgres.stop(), nats.stop()]));
  const { db, close } = openDatabase({ connectionString: postgres.connectionString, log: silent });
  await migrate(db);
  t.teardown(close);
  const companyId = await addCompany(db);
  const experimentId = await addExperiment(db, companyId, { weights: Array(5).fill(1), ttl: 3_600 });
  const cache = createInProcessCache({ nowMs: Date.now, entriesMax: 100_000 });
  const start = async (name: string, url = nats.url) => {
    const bus = createNatsBus({ url, name, log: silent, rng: Math.random });
    const pool = openDatabase({ connectionString: postgres.connectionString, log: silent });
    const instance = await startInstance(t, pool.db, {
      companyId,
      clock,
      records: bus.records,
      cache,
      isCacheShared: true,
      commitTimeoutMs: limits.assignmentCommitTimeoutMs,
      probeIntervalMs: 200,
    });
    t.teardown(() => Promise.all([bus.close(), pool.close()]));
    await until(() => bus.bus.isConnected(), 'connected to NATS');
    return { instance, bus };
  };
  return { postgres, nats, start, db, experimentId };
}

type World = Awaited<ReturnType<typeof createWorld>>;

async function testRecords(t: Test): Promise<void> {
  const world = await createWorld(t);
  await t.test('a dead process’s answers are brought in by another', (t) => testDeath(t, world));
  await t.test('NATS hangs too: answers are not slower for it, and RECORDS gets them later', (t) =>
    testBothAway(t, world),
  );
}

async function testDeath(t: Test, { postgres, start, db, experimentId }: World): Promise<void> {
  const [dying, heir] = [await start('dying'), await start('heir')];
  await postgres.kill('SIGKILL');
  const answers = await askForNew(dying.instance, experimentId, 'a', 600);
  // Making the stream may take longer than the first answers wait; the sweep puts those.
  await dying.instance.runtime.recorder.probeRecords();
  await until(() => answers.every(({ standing }) => standing === 'kept'), 'RECORDS keeps all');
  t.equal(dying.instance.runtime.recorder.nUnrecorded(), 600);
  await dying.instance.runtime.close();
  await dying.bus.close();
  await until(() => heir.bus.records.nKept() === 600, 'told how many are kept');
  await postgres.restart();
  const tookMs = await until(async () => (await countOf(db, experimentId)) === 600, 'brought in');
  t.comment(`600 records in the database ${Math.round(tookMs)} ms after Postgres was back`);
  t.ok(tookMs < 30_000);
  const nonces = (await recordedAssignments(db, experimentId)).map((row) => row.nonce.toString('hex'));
  t.same(nonces.sort(), answers.map(({ assignmentId }) => nonceOf(assignmentId)).sort());
  t.match(
    await heir.instance.registry.metrics(),
    /brought_in_total\{source="records",outcome="recorded"\} 600\n/,
  );
  await until(() => heir.bus.records.nKept() === 0, 'nothing is kept any more');
  const after = await heir.instance.assign(experimentId, 'a 0');
  t.match(after, { assignmentId: answers[0]!.assignmentId, standing: 'settled' });
}

async function testBothAway(t: Test, { postgres, nats, start, db, experimentId }: World): Promise<void> {
  const { instance } = await start('alone');
  const { recorder } = instance.runtime;
  await postgres.kill('SIGKILL');
  await askForNew(instance, experimentId, 'b', 5);
  await nats.kill('SIGSTOP');
  await until(async () => {
    await askForNew(instance, experimentId, `find out ${Math.random()}`, 1);
    return recorder.areRecordsAway();
  }, 'the breaker of RECORDS opens');
  const startedMs = performance.now();
  const answers = await askForNew(instance, experimentId, 'c', 300);
  const eachMs = (performance.now() - startedMs) / 300;
  t.comment(`${eachMs.toFixed(2)} ms an answer with both hung`);
  t.ok(eachMs < 25);
  t.ok(answers.every(({ standing }) => standing === 'unrecorded'));
  await nats.kill('SIGCONT');
  await until(() => answers.every(({ standing }) => standing === 'kept'), 'RECORDS keeps all');
  // A probe that was slow puts what waits, and leaves it to the next one to close.
  await askForNew(instance, experimentId, 'd', 1);
  await until(() => !recorder.areRecordsAway(), 'its breaker closes');
  await postgres.restart();
  await until(() => answers.every(({ standing }) => standing === 'settled'), 'the database has all');
  await until(() => recorder.nUnrecorded() === 0, 'memory is empty');
  const rows = (await recordedAssignments(db, experimentId)).filter((row) => row.user_id.startsWith('c '));
  t.equal(rows.length, 300);
}

/** One after another, as the time of each is what counts. */
async function askForNew(instance: Instance, experimentId: string, prefix: string, n: number) {
  const answers = [];
  for (let i = 0; i < n; i++) answers.push(await instance.assign(experimentId, `${prefix} ${i}`));
  return answers;
}

async function countOf(db: Db, experimentId: string): Promise<number> {
  try {
    return (await recordedAssignments(db, experimentId)).length;
  } catch {
    return -1; // The server is still starting.
  }
}

const nonceOf = (assignmentId: string) => Buffer.from(ids.verify(assignmentId)!.nonce).toString('hex');

if (hasNatsServer() && hasPostgresServer()) await t.test('NATS and Postgres', testRecords);
else if (process.env.CI_REQUIRE_STORES === '1')
  t.fail('CI_REQUIRE_STORES=1, but no NATS or Postgres is there');
else {
  console.warn('NOT TESTED: RECORDS on NATS, as no NATS or no Postgres is installed here');
  t.test(
    'NATS and Postgres',
    { skip: 'no NATS or Postgres server is installed here' },
    async () => undefined,
  );
}
