/** Two learners on shared stores: one dies, hangs or is asked for the same as the other, and everything is learned once. */
import { countFacts } from '@bandit/db';
import { sql } from '@bandit/db/testing';
import t, { type Test } from 'tap';
import { type Client, until } from '../platform/client.ts';
import { createJournal, type Journal } from './journal.ts';
import { assertWithin } from './measure.ts';
import { abExperiment, type RunningPlatform, startPlatform } from './start-platform.ts';
import type { ServiceProcess } from './start-processes.ts';
import { startOwnStores, testOnStores } from './start-stores.ts';

t.setTimeout(590_000);

/** Until another learner has what a dead or hanging one held. Milliseconds. */
const takenOverWithinMs = 3_000;
/** One that hangs in the middle of a transaction keeps its rows until Postgres ends that too, after 11 s. */
const freedWithinMs = 15_000;
const waitMs = 30_000;
/** Over 16 partitions: both learners have some. */
const nExperiments = 12;

interface Scene {
  readonly platform: RunningPlatform;
  readonly journal: Journal;
  readonly assigning: Client;
  readonly ingesting: Client;
  readonly managing: readonly Client[];
  readonly experimentIds: readonly string[];
  learners: ServiceProcess[];
}

testOnStores(t, 'two learners', async (t) => {
  const platform = await startPlatform(t, await startOwnStores(t), {
    assignment: 1,
    ingest: 1,
    learner: 2,
    management: 2,
  });
  const managing = platform.managements.map((one) => platform.clientOf(one));
  const names = Array.from({ length: nExperiments }, (_, n) => abExperiment(`Learned ${n}`));
  const scene: Scene = {
    platform,
    journal: createJournal(),
    assigning: platform.clientOf(platform.assignments[0] as ServiceProcess),
    ingesting: platform.clientOf(platform.ingests[0] as ServiceProcess),
    managing,
    experimentIds: await Promise.all(names.map((one, n) => (managing[n % 2] as Client).activate(one))),
    learners: [...platform.learners],
  };
  await t.test('one is killed, and the other takes over', (t) => testKill(t, scene));
  await t.test('one hangs, and comes back', (t) => testHang(t, scene));
  await t.test('a refresh is asked of both management processes at once', (t) => testRefresh(t, scene));
});

async function testKill(t: Test, scene: Scene): Promise<void> {
  const timesMs: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    await untilShared(t, scene);
    const load = startLoad(scene, `kill-${round}`);
    await load.until(100);
    await (scene.learners.shift() as ServiceProcess).stop('SIGKILL');
    const killedAt = performance.now();
    await load.until(200);
    await load.stop();
    await untilLearned(scene);
    timesMs.push(performance.now() - killedAt);
    scene.learners.push(await scene.platform.add('learner'));
  }
  assertWithin(t, 'everything is learned after a kill -9', timesMs, takenOverWithinMs);
  await scene.journal.judge(t, scene.managing[0] as Client);
}

async function testHang(t: Test, scene: Scene): Promise<void> {
  const timesMs: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    await untilShared(t, scene);
    const hanging = scene.learners[round % 2] as ServiceProcess;
    const load = startLoad(scene, `hang-${round}`);
    await load.until(50 + 25 * round);
    hanging.signal('SIGSTOP');
    const hungAt = performance.now();
    await load.until(load.n() + 100);
    await load.stop();
    await untilLearned(scene);
    timesMs.push(performance.now() - hungAt);
    const again = startLoad(scene, `back-${round}`);
    await again.until(20);
    // It believes to own what it held, and has folds under way.
    hanging.signal('SIGCONT');
    await again.until(150);
    await again.stop();
    await untilLearned(scene);
  }
  assertWithin(t, 'everything is learned beside a hanging learner', timesMs, freedWithinMs);
  await scene.journal.judge(t, scene.managing[0] as Client);
}

async function testRefresh(t: Test, scene: Scene): Promise<void> {
  const { experimentIds, managing, journal } = scene;
  await untilShared(t, scene);
  const nBefore = await countRebuilds(scene);
  const load = startLoad(scene, 'refresh');
  const answers = await Promise.all(
    experimentIds.flatMap((id) =>
      [...managing, ...managing].map((client) => client.manage('POST', `/experiments/${id}/refresh`)),
    ),
  );
  await load.stop();
  t.strictSame(
    answers.filter(({ status }) => status !== 200),
    [],
  );
  const n = (await countRebuilds(scene)) - nBefore;
  t.ok(n >= experimentIds.length && n <= answers.length, `${n} rebuilds for ${answers.length} calls`);
  await untilLearned(scene);
  await journal.judge(t, managing[0] as Client);
  const differing = [];
  for (const id of experimentIds) {
    const before = await managing[0]!.manage('GET', `/experiments/${id}/results`);
    const [a, b] = await Promise.all(
      managing.map((client) => client.manage('POST', `/experiments/${id}/refresh`)),
    );
    const after = await managing[1]!.manage('GET', `/experiments/${id}/results`);
    if (a?.status !== 200 || b?.status !== 200) differing.push({ id, a, b });
    const [was, is] = [before, after].map(({ body }) => JSON.stringify(body.data.treatments));
    if (was !== is) differing.push({ id, was, is });
  }
  t.strictSame(differing, [], 'a refresh by both changes nothing');
}

/** Users that are assigned and convert at once, over all experiments, a few at a time. */
function startLoad({ assigning, ingesting, journal, experimentIds }: Scene, name: string) {
  const nClients = 4;
  let n = 0;
  let isStopped = false;
  const clients = Array.from({ length: nClients }, async (_, client) => {
    for (let turn = client; !isStopped; turn += nClients) {
      const experimentId = experimentIds[turn % experimentIds.length] as string;
      const assigned = await journal.assign(assigning, experimentId, `${name}-${turn}`);
      await journal.convert(ingesting, [assigned]);
      n += 1;
    }
  });
  return {
    n: () => n,
    until: async (count: number) => {
      const reached = await until(
        async () => n,
        (done) => done >= count,
        waitMs,
      );
      if (reached < count) throw new Error(`${reached} of ${count} conversions in ${waitMs} ms`);
    },
    stop: async () => {
      isStopped = true;
      await Promise.all(clients);
    },
  };
}

async function untilLearned({ platform }: Scene): Promise<void> {
  const counts = await until(
    () => countFacts(platform.stores.db),
    ({ pending }) => pending === 0,
    waitMs,
  );
  if (counts.pending > 0) throw new Error(`${counts.pending} facts are not learned after ${waitMs} ms`);
}

/** Both learners hold half of the partitions. */
async function untilShared(t: Test, { platform }: Scene): Promise<void> {
  const held = async () => {
    const { rows } = await sql<{ n: number }>`
      select count(*)::int as n from pg_locks
      where locktype = 'advisory' and classid = 7242201 and objid < 1000 and granted group by pid`.execute(
      platform.stores.db,
    );
    return rows.map(({ n }) => n);
  };
  const shares = await until(held, (found) => found.length === 2 && found.every((n) => n === 8), waitMs);
  t.strictSame(shares, [8, 8], 'each has its half');
}

async function countRebuilds({ learners }: Scene): Promise<number> {
  const counts = await Promise.all(
    learners.map(async ({ url }) => {
      const text = await (await fetch(`${url}/metrics`)).text();
      return Number(/^bandit_learner_rebuild_seconds_count (\d+)/m.exec(text)?.[1] ?? Number.NaN);
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}
