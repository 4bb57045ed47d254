/** Several processes of every service on shared stores: they agree, hear of changes in time, and count everything once. */
import { subjects } from '@bandit/contracts';
import { verifyAuditChain } from '@bandit/db';
import { connect } from 'nats';
import t, { type Test } from 'tap';
import { type Client, until } from '../platform/client.ts';
import { compareWithSql, drawProbability, isMoved, moveAllocation } from './allocation.ts';
import { changeKey, joinTimes, makeChanges } from './changes.ts';
import { type Assigned, createJournal, type Journal } from './journal.ts';
import { assertWithin } from './measure.ts';
import { abExperiment, type RunningPlatform, startPlatform } from './start-platform.ts';
import { startOwnStores, testOnStores } from './start-stores.ts';

t.setTimeout(590_000);

/** What is promised with every store up, and while NATS is away. Milliseconds. */
const promisedMs = 1_000;
const promisedWithoutNatsMs = 5_000;
const waitMs = 30_000;

interface Scene {
  readonly platform: RunningPlatform;
  readonly journal: Journal;
  readonly assigning: readonly Client[];
  readonly managing: readonly Client[];
}

testOnStores(t, 'three assignment, two ingest, two learner and two management processes', async (t) => {
  const platform = await startPlatform(t, await startOwnStores(t), {
    assignment: 3,
    ingest: 2,
    learner: 2,
    management: 2,
  });
  const assigning = platform.assignments.map((one) => platform.clientOf(one));
  const managing = platform.managements.map((one) => platform.clientOf(one));
  const scene: Scene = { platform, journal: createJournal(), assigning, managing };
  await t.test('first requests at once, everywhere: one assignment a user', (t) => testFirst(t, scene));
  await t.test('a change reaches every process', (t) => testChanges(t, scene));
  await t.test('a conversion moves allocation everywhere', (t) => testConversions(t, scene));
  await t.test('an old broadcast changes nothing', (t) => testReplay(t, scene));
  await t.test('without NATS the polls bring it', (t) => testWithoutNats(t, scene));
  await t.test('an emptied Redis changes nobody', (t) => testFlush(t, scene));
  await t.test('two management processes make one history', (t) => testHistory(t, scene));
  await t.test('a due experiment is completed once', (t) => testDue(t, scene));
  await t.test('all that was answered is counted once, and served as SQL says', (t) => testEnd(t, scene));
});

async function testFirst(t: Test, { journal, assigning, managing }: Scene): Promise<void> {
  const experimentId = await managing[0]!.activate(abExperiment('First'));
  const users = Array.from({ length: 200 }, (_, n) => `user-${n}`);
  const ids = await Promise.all(
    users.map((userId) =>
      Promise.all(assigning.map((client) => journal.assign(client, experimentId, userId))),
    ),
  );
  const differing = ids.filter((answers) => new Set(answers.map((one) => one.assignmentId)).size > 1);
  t.strictSame(differing, [], '200 users, three processes each');
}

async function testChanges(t: Test, { platform }: Scene): Promise<void> {
  const changed = [];
  for (let turn = 0; turn < 10; turn += 1) changed.push(await makeChanges(platform, String(turn), turn));
  for (let turn = 0; turn < 30; turn += 1) changed.push(await changeKey(platform, String(turn), turn));
  for (const [what, found] of Object.entries(joinTimes(changed))) assertWithin(t, what, found, promisedMs);
}

async function testConversions(t: Test, { platform, journal }: Scene): Promise<void> {
  const timesMs = [];
  for (let round = 0; round < 6; round += 1)
    timesMs.push(...(await moveAllocation(platform, journal, `Moved ${round}`)).timesMs);
  assertWithin(t, 'a conversion', timesMs, promisedMs);
}

async function testReplay(t: Test, { platform, journal, assigning }: Scene): Promise<void> {
  const connection = await connect({ servers: platform.stores.nats.url });
  t.teardown(() => connection.close());
  const heard: { version: number; serving: string; experimentId: string }[] = [];
  connection.subscribe(subjects.stateAll, { callback: (_error, message) => void heard.push(message.json()) });
  const { experimentId, a } = await moveAllocation(platform, journal, 'Replayed');
  const draws = () =>
    Promise.all(assigning.map((client) => drawProbability(platform, journal, client, experimentId, a)));
  const own = heard.filter((message) => message.experimentId === experimentId);
  const oldest = own[0]!;
  t.ok(own.at(-1)!.version > oldest.version, `${own.length} states were broadcast`);
  const replay = async (version: number) => {
    connection.publish(subjects.state(experimentId), JSON.stringify({ ...oldest, version }));
    await connection.flush();
  };
  for (let n = 0; n < 10; n += 1) {
    await replay(oldest.version);
    t.strictSame(
      (await draws()).filter((p) => !isMoved(p)),
      [],
      'the newer state stands',
    );
  }
  // Were it never heard, nothing above would be shown: under a higher version it is taken.
  await replay(oldest.version + 1_000_000);
  const after = await until(draws, (all) => !all.some(isMoved), waitMs);
  t.strictSame(after.filter(isMoved), [], 'a higher version is taken by all');
}

async function testWithoutNats(t: Test, scene: Scene): Promise<void> {
  const { natsProxy } = scene.platform.stores;
  const nConnections = natsProxy.connections();
  await t.test('unreachable', async (t) => {
    await natsProxy.refuse(true);
    natsProxy.cutAll();
    await testChangesByPoll(t, scene, 'unreachable');
    await natsProxy.refuse(false);
    await until(
      async () => natsProxy.connections(),
      (n) => n >= nConnections,
      waitMs,
    );
  });
  await t.test('hanging', async (t) => {
    natsProxy.blackhole(true);
    await testChangesByPoll(t, scene, 'hanging');
    natsProxy.blackhole(false);
  });
  await t.test('back again', async (t) => {
    const { platform, journal } = scene;
    // Connections that lost something are cut and made anew: broadcasts arrive once all are there.
    await until(
      async () => (await moveAllocation(platform, journal, 'Settled')).timesMs,
      (timesMs) => Math.max(...timesMs) < promisedMs,
      waitMs,
    );
    const times = [await makeChanges(platform, 'back', 0), await changeKey(platform, 'back', 1)];
    for (const [what, found] of Object.entries(joinTimes(times))) assertWithin(t, what, found, promisedMs);
    assertWithin(t, 'a conversion', (await moveAllocation(platform, journal, 'Back')).timesMs, promisedMs);
  });
}

async function testChangesByPoll(t: Test, { platform, journal }: Scene, name: string): Promise<void> {
  const rounds = [0, 1, 2].map((n) => ({ turn: n, round: `${name} ${n}` }));
  const changed = await Promise.all(
    rounds.flatMap(({ turn, round }) => [
      makeChanges(platform, round, turn),
      changeKey(platform, round, turn),
      moveAllocation(platform, journal, round).then(({ timesMs }) => ({ 'a conversion': [...timesMs] })),
    ]),
  );
  for (const [what, found] of Object.entries(joinTimes(changed)))
    assertWithin(t, what, found, promisedWithoutNatsMs);
}

async function testFlush(t: Test, { platform, journal, assigning, managing }: Scene): Promise<void> {
  const experimentId = await managing[1]!.activate(abExperiment('Flushed'));
  const users = Array.from({ length: 150 }, (_, n) => `user-${n}`);
  const flushing = { isOver: false, n: 0 };
  const flush = async () => {
    for (; !flushing.isOver; flushing.n += 1) await platform.stores.redis.call('FLUSHALL');
  };
  const flushed = flush();
  const first = new Map<string, Assigned>();
  const changed: unknown[] = [];
  // Each process meets them for the first time: without its own memory.
  for (const client of assigning) {
    for (const userId of users) {
      const assigned = await journal.assign(client, experimentId, userId);
      const before = first.get(userId) ?? assigned;
      first.set(userId, before);
      if (before.assignmentId !== assigned.assignmentId) changed.push({ before, assigned });
    }
  }
  flushing.isOver = true;
  await flushed;
  t.strictSame(
    changed,
    [],
    `${users.length} users in three processes while Redis was emptied ${flushing.n} times`,
  );
  t.ok(flushing.n > 10);
}

async function testHistory(t: Test, { platform, managing }: Scene): Promise<void> {
  const { db, companyId } = platform.stores;
  const experimentId = await managing[0]!.activate(abExperiment('Edited'));
  const names = Array.from({ length: 40 }, (_, n) => `Edited ${n}`);
  const answers = await Promise.all(
    names.map((name, n) =>
      managing[n % managing.length]!.manage('PUT', `/experiments/${experimentId}`, { name }),
    ),
  );
  t.strictSame(
    answers.filter(({ status }) => status !== 200),
    [],
  );
  const rows = await db
    .selectFrom('audit_log')
    .select(['seq', 'details'])
    .where('target', '=', experimentId)
    .where('action', '=', 'experiment.update')
    .orderBy('seq')
    .execute();
  const texts = rows.map(({ details }) => JSON.stringify(details));
  t.strictSame(
    names.filter((name) => !texts.some((text) => text.includes(`"${name}"`))),
    [],
    'all are audited',
  );
  const { body } = await managing[1]!.manage('GET', `/experiments/${experimentId}`);
  t.match(texts.at(-1), `"${body.data.name}"`, 'the last change of the history is what stands');
  t.match(await verifyAuditChain(db, companyId), { isIntact: true });
}

async function testDue(t: Test, { platform, managing, assigning }: Scene): Promise<void> {
  // Long enough for a busy machine to set it before it comes.
  const endAt = new Date(Date.now() + 4_000).toISOString();
  const ids = await Promise.all(
    Array.from({ length: 8 }, async (_, n) => {
      const id = await managing[n % 2]!.activate(abExperiment(`Due ${n}`));
      t.equal((await managing[n % 2]!.manage('PUT', `/experiments/${id}`, { endAt })).status, 200);
      return id;
    }),
  );
  const statuses = await until(
    () => Promise.all(ids.map((id) => managing[0]!.manage('GET', `/experiments/${id}`))),
    (answers) => answers.every(({ body }) => body.data.status === 'completed'),
    waitMs,
  );
  t.strictSame(
    statuses.map(({ body }) => body.data.status),
    ids.map(() => 'completed'),
  );
  for (const client of assigning) {
    const { status } = await client.track('POST', '/assignments', { experimentId: ids[0], userId: 'late' });
    t.equal(status, 400);
  }
  const rows = await platform.stores.db
    .selectFrom('audit_log')
    .select('target')
    .where('action', '=', 'experiment.end')
    .execute();
  t.strictSame(rows.map(({ target }) => target).sort(), ids.toSorted(), 'each once');
  t.match(await verifyAuditChain(platform.stores.db, platform.stores.companyId), { isIntact: true });
}

async function testEnd(t: Test, { platform, journal, managing }: Scene): Promise<void> {
  const manager = managing[0]!;
  await journal.judge(t, manager);
  const { body } = await manager.manage('GET', '/experiments');
  const open = body.data.filter(({ name }: { name: string }) => /^(Moved|First|Flushed)/.test(name));
  for (const { id } of open) {
    const before = await manager.manage('GET', `/experiments/${id}/results`);
    const refreshed = await manager.manage('POST', `/experiments/${id}/refresh`);
    t.equal(refreshed.status, 200);
    const after = await manager.manage('GET', `/experiments/${id}/results`);
    t.strictSame(after.body.data.treatments, before.body.data.treatments, 'a refresh changes nothing');
  }
  for (const { id, name } of open) {
    const difference = await compareWithSql(platform, journal, id);
    t.ok(difference !== undefined && difference < 1e-12, `${name}: ${difference} from what SQL says`);
  }
  await journal.judge(t, manager);
}
