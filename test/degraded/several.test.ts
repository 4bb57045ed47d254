/** Several stores away at once, a process killed meanwhile, and a Postgres that dies and comes back under load. */
import t, { type Test } from 'tap';
import { abExperiment } from '../processes/start-platform.ts';
import type { ServiceProcess } from '../processes/start-processes.ts';
import { testOnStores } from '../processes/start-stores.ts';
import { ask, connections, type Seen } from './ask.ts';
import { letRun, untilTrue } from './moments.ts';
import { openPlatform, type Platform } from './open-platform.ts';
import { readFacts, readMetric, readStreams } from './readings.ts';
import { recoveryMs } from './run-round.ts';

t.setTimeout(590_000);

testOnStores(t, 'two assignment processes, one of each other kind, several stores away', async (t) => {
  const platform = await openPlatform(t);
  await t.test('Postgres dies and comes back, again and again: nothing doubled, nothing lost, no 500', (t) =>
    testRestarts(t, platform),
  );
  await t.test('Postgres and NATS away, then Redis too; a process dies; all comes right by itself', (t) =>
    testSeveral(t, platform),
  );
});

const agent = connections(8);
const timeoutMs = 20_000;

function assign(
  { stores }: Platform,
  { url }: ServiceProcess,
  experimentId: string,
  userId: string,
): Promise<Seen> {
  const headers = { 'x-api-key': stores.apiKey };
  return ask(agent, { url: `${url}/assignments`, headers, body: { experimentId, userId }, timeoutMs });
}

function convert({ stores, ingest }: Platform, assignmentId: string): Promise<Seen> {
  const headers = { 'x-api-key': stores.apiKey };
  const body = { assignmentId, eventType: 'CONVERSION' };
  return ask(agent, { url: `${ingest.url}/events`, headers, body, timeoutMs });
}

const nRestarts = 3;
const nLanes = 6;
const restartEveryMs = 700;

async function testRestarts(t: Test, platform: Platform): Promise<void> {
  const { manager, assignments, stores, readNonce } = platform;
  const experimentId = await manager.activate(abExperiment('Restarted'));
  const assigned = new Map<string, string>();
  const answers = new Map<string, Seen>();
  const odd: unknown[] = [];
  let isOver = false;
  const lane = async (place: number) => {
    for (let n = 0; !isOver; n += 1) {
      const made = await assign(platform, assignments[n % 2]!, experimentId, `user ${place} ${n}`);
      if (made.status !== 200) odd.push(made);
      else assigned.set(`user ${place} ${n}`, made.body.data.assignmentId);
      if (made.status === 200)
        answers.set(made.body.data.assignmentId, await convert(platform, made.body.data.assignmentId));
    }
  };
  const lanes = Array.from({ length: nLanes }, (_, place) => lane(place));
  for (let n = 0; n < nRestarts; n += 1) {
    await letRun(restartEveryMs);
    await stores.postgres.kill('SIGKILL');
    await stores.postgres.restart();
  }
  await letRun(restartEveryMs);
  isOver = true;
  await Promise.all(lanes);
  t.strictSame(odd, [], `${assigned.size} assignments, all of them 200`);
  const statuses = [...new Set([...answers.values()].map(({ status }) => status))].sort();
  t.ok(
    statuses.every((status) => status === 201 || status === 503),
    `events are answered ${statuses}`,
  );
  const refused = [...answers].filter(([, { status }]) => status === 503);
  t.ok(refused.every(([, { headers }]) => headers['retry-after'] !== undefined));
  const again = await Promise.all(refused.map(([assignmentId]) => convert(platform, assignmentId)));
  const nThere = again.filter(({ status }) => status === 409).length;
  t.ok(
    again.every(({ status }) => status === 201 || status === 409),
    'asked again, it is there or it is taken',
  );
  t.comment(`${answers.size} events, ${refused.length} refused, ${nThere} of those were stored all the same`);
  await expectCounted(t, platform, experimentId, assigned.size);
  const { nonces, events } = await readFacts(stores, experimentId);
  t.strictSame(
    [...nonces].sort(),
    [...assigned.values()].map(readNonce).sort(),
    'each assignment is on record once',
  );
  t.equal(new Set(events.map(({ nonce }) => nonce)).size, events.length, 'each event once');
}

/** Trials and conversions are what was answered, RECORDS is empty. */
async function expectCounted(t: Test, platform: Platform, experimentId: string, n: number): Promise<void> {
  const { manager, stores } = platform;
  let found: unknown;
  const tookMs = await untilTrue(
    async () => {
      const { totals } = (await manager.manage('GET', `/experiments/${experimentId}/results`)).body.data;
      const { nRecords } = await readStreams(stores);
      found = { trials: totals.trials, conversions: totals.conversions, nRecords };
      return totals.trials === n && totals.conversions === n && nRecords === 0;
    },
    recoveryMs,
    'all is counted',
  ).catch((error: unknown) => t.fail(`${error}: ${JSON.stringify(found)}, wanted ${n}`));
  t.comment(`all counted after ${tookMs} ms`);
}

const nUsers = 40;

interface Given {
  readonly userId: string;
  readonly seen: readonly Seen[];
}

/** New users, each at both processes at the same moment. */
async function askBoth(platform: Platform, experimentId: string, prefix: string): Promise<Given[]> {
  const given: Given[] = [];
  for (let n = 0; n < nUsers; n += 1) {
    const userId = `${prefix} ${n}`;
    const asked = platform.assignments.map((one) => assign(platform, one, experimentId, userId));
    given.push({ userId, seen: await Promise.all(asked) });
  }
  return given;
}

const idOf = ({ body }: Seen): string => body.data?.assignmentId;
const treatmentOf = ({ body }: Seen): string => body.data?.treatment?.id;
const headerOf = ({ headers }: Seen) => headers['x-recorded'];

async function testSeveral(t: Test, platform: Platform): Promise<void> {
  const { manager, stores, assignments } = platform;
  const [dies, lives] = assignments as [ServiceProcess, ServiceProcess];
  const experimentId = await manager.activate(abExperiment('Several'));
  const healthy = await askBoth(platform, experimentId, 'healthy');
  // Moments after an outage the loser of a claim has yet to hear from the database.
  const isSettled = async ({ userId }: Given) => {
    const asked = assignments.map((one) => assign(platform, one, experimentId, userId));
    return (await Promise.all(asked)).every((seen) => headerOf(seen) === undefined);
  };
  for (const given of healthy)
    await untilTrue(() => isSettled(given), recoveryMs, `${given.userId} is on record`);
  await stores.postgres.kill('SIGKILL');
  await stores.nats.kill('SIGKILL');
  await leave(platform, experimentId, ['database', 'records']);

  const first = await askBoth(platform, experimentId, 'without two');
  expectAnswers(t, 'Postgres and NATS away', first, 'false');
  const differ = first.filter(({ seen: [one, other] }) => idOf(one!) !== idOf(other!));
  t.equal(differ.length, 0, 'Redis arbitrates');
  const known = await Promise.all(healthy.map(({ userId }) => assign(platform, lives, experimentId, userId)));
  t.strictSame(
    known.map(idOf),
    healthy.map(({ seen }) => idOf(seen[0]!)),
    'known users keep what they have',
  );
  t.ok(
    known.every((seen) => headerOf(seen) === undefined),
    'and it is on record',
  );
  await expectRefusedEvent(t, platform, idOf(known[0]!));

  await stores.redis.kill('SIGKILL');
  const second = await askBoth(platform, experimentId, 'without three');
  expectAnswers(t, 'all three away', second, 'false');
  const apart = second.filter(({ seen: [one, other] }) => treatmentOf(one!) !== treatmentOf(other!));
  t.equal(apart.length, 0, 'both processes draw the same treatment');

  await stores.nats.restart();
  const answered = [...first, ...second].flatMap(({ seen }) => seen.map(idOf));
  await expectKept(t, platform, new Set(answered).size);
  await stores.redis.restart({ empty: true });
  await dies.stop('SIGKILL');
  await stores.postgres.restart();
  await expectBroughtIn(t, platform, experimentId, { healthy, first, second }, lives);
}

/** Until nobody waits for these. */
async function leave(platform: Platform, experimentId: string, labels: readonly string[]): Promise<void> {
  let n = 0;
  await untilTrue(
    async () => {
      n += 1;
      await Promise.all(
        platform.assignments.map((one) => assign(platform, one, experimentId, `first wave ${n}`)),
      );
      const away = await Promise.all(
        platform.assignments.flatMap(({ url }) =>
          labels.map((store) => readMetric(url, 'bandit_assignment_store_away', `store="${store}"`)),
        ),
      );
      return away.every((value) => value === 1);
    },
    recoveryMs,
    `${labels} are left`,
  );
}

function expectAnswers(t: Test, what: string, given: readonly Given[], recorded: string): void {
  const seen = given.flatMap((one) => one.seen);
  t.strictSame(
    seen.filter(({ status }) => status !== 200),
    [],
    `${what}: ${seen.length} assignments are answered`,
  );
  t.ok(
    seen.every((one) => headerOf(one) === recorded),
    `${what}: all say x-recorded: ${recorded}`,
  );
  const slowest = Math.max(...seen.map(({ tookMs }) => tookMs));
  t.comment(`${what}: at most ${slowest.toFixed(1)} ms`);
}

async function expectRefusedEvent(t: Test, platform: Platform, assignmentId: string): Promise<void> {
  const { status, headers, body } = await convert(platform, assignmentId);
  t.match(
    { status, headers, body },
    { status: 503, headers: { 'retry-after': /^\d/ }, body: { success: false } },
  );
}

/** What waited in memory is in RECORDS: a process may die now. */
async function expectKept(t: Test, { stores }: Platform, n: number): Promise<void> {
  let nRecords = 0;
  const tookMs = await untilTrue(
    async () => {
      ({ nRecords } = await readStreams(stores));
      return nRecords >= n;
    },
    recoveryMs,
    'RECORDS has what waited in memory',
  ).catch((error: unknown) => t.fail(`${error}: ${nRecords} of ${n}`));
  t.comment(`${nRecords} records kept ${tookMs} ms after NATS came back`);
}

async function expectBroughtIn(
  t: Test,
  platform: Platform,
  experimentId: string,
  { healthy, first, second }: Readonly<Record<'healthy' | 'first' | 'second', readonly Given[]>>,
  lives: ServiceProcess,
): Promise<void> {
  const { stores, readNonce, start } = platform;
  const tookMs = await untilTrue(
    async () => {
      const unrecorded = await readMetric(lives.url, 'bandit_assignment_unrecorded');
      return unrecorded === 0 && (await readStreams(stores)).nRecords === 0;
    },
    recoveryMs,
    'the other process brings in what the dead one answered',
  ).catch((error: unknown) => t.fail(String(error)));
  t.comment(`all brought in ${tookMs} ms after Postgres came back`);
  const { nonces } = await readFacts(stores, experimentId);
  const stored = new Set(nonces);
  t.equal(stored.size, nonces.length, 'nothing twice');
  const isStored = (seen: Seen) => stored.has(readNonce(idOf(seen)));
  const lost = [...healthy, ...first, ...second].filter(({ seen }) => !seen.some(isStored));
  t.strictSame(lost, [], 'what each user was given is on record');
  const heir = await start('assignment');
  await untilTrue(
    async () => (await fetch(`${heir.url}/readyz`)).status === 200,
    60_000,
    'a new one is ready',
  );
  const moved: string[] = [];
  for (const { userId, seen } of [...healthy, ...first, ...second])
    for (const one of [lives, heir]) {
      const again = await assign(platform, one, experimentId, userId);
      if (treatmentOf(again) !== treatmentOf(seen[0]!) || headerOf(again) !== undefined) moved.push(userId);
    }
  t.strictSame(moved, [], 'and everybody has the same treatment afterwards, on record');
}
