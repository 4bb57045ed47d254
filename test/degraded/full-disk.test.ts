/** Postgres on a disk that fills up: nothing is promised that is not stored, assignments go on, and room is all it takes. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { abExperiment } from '../processes/start-platform.ts';
import { startOwnStores, testOnStores } from '../processes/start-stores.ts';
import { ask, connections, type Seen } from './ask.ts';
import { untilTrue } from './moments.ts';
import { openPlatform, type Platform } from './open-platform.ts';
import { readFacts, readStreams } from './readings.ts';
import { recoveryMs } from './run-round.ts';

t.setTimeout(590_000);

/** A cluster and what the platform puts into it; the test's ballast takes the rest. */
const diskMb = 320;
/** For a cluster that does not give up its log: a small one is filled sooner. */
const settings = { max_wal_size: '32MB', min_wal_size: '32MB', wal_keep_size: '0', max_connections: '100' };

const disk = mountDisk();
if (disk === undefined) {
  const reason = 'a tmpfs cannot be mounted here (root on Linux alone may)';
  console.warn(`NOT TESTED ON A FULL DISK: Postgres, as ${reason}`);
  t.test('a full disk under Postgres', { skip: reason }, () => undefined);
} else {
  t.teardown(() => unmountDisk(disk));
  testOnStores(t, 'a full disk under Postgres', async (t) => testFullDisk(t, disk));
}

async function testFullDisk(t: Test, dir: string): Promise<void> {
  const stores = await startOwnStores(t, { dir: join(dir, 'postgres'), settings });
  const platform = await openPlatform(t, stores);
  const experimentId = await platform.manager.activate(abExperiment('Filled'));
  const given = await assignMany(platform, experimentId, 'before', 1_000);
  t.ok(given.every(({ status }) => status === 200));
  const stored = new Map<string, string>();
  t.equal((await convert(platform, given.shift()!, stored)).status, 201, 'there is room');

  const ballast = join(dir, 'ballast');
  fill(dir, ballast);
  const refused: Seen[] = [];
  // What Postgres has reserved takes a while to be used up.
  await untilTrue(
    async () => {
      const seen = await convert(platform, given.shift()!, stored);
      if (seen.status !== 201) refused.push(seen);
      return refused.length >= 3;
    },
    120_000,
    'the disk is full',
  );
  t.comment(`full after ${stored.size} events`);
  for (const { status, headers, body } of refused)
    t.match(
      { status, headers, body },
      { status: 503, headers: { 'retry-after': /^\d/ }, body: { success: false } },
    );
  const change = await platform.manager.manage('POST', '/experiments', abExperiment('Without room'));
  t.ok([201, 503].includes(change.status), `a change that may yet fit is answered ${change.status}`);
  const meanwhile = await assignMany(platform, experimentId, 'meanwhile', 50);
  t.strictSame(
    meanwhile.filter(({ status }) => status !== 200),
    [],
    '50 new users are answered',
  );

  rmSync(ballast);
  const isDead = await hasEnded(stores.postgres.pid);
  t.comment(isDead ? 'Postgres gave up: its operator starts it again' : 'Postgres lived through it');
  if (isDead) await stores.postgres.restart();
  const tookMs = await untilTrue(
    async () => (await convert(platform, given[0]!, stored)).status === 201 && given.shift() !== undefined,
    recoveryMs,
    'events are taken again',
  );
  t.comment(`events are taken again after ${Math.round(tookMs)} ms`);
  await expectEqual(t, platform, experimentId, { stored, answered: [...meanwhile, ...given] });
}

interface Expected {
  /** Event ids of what was answered 201, by nonce. */
  readonly stored: ReadonlyMap<string, string>;
  readonly answered: readonly Seen[];
}

async function expectEqual(
  t: Test,
  platform: Platform,
  experimentId: string,
  { stored, answered }: Expected,
): Promise<void> {
  const { manager, stores, readNonce } = platform;
  await untilTrue(
    async () => {
      const { totals } = (await manager.manage('GET', `/experiments/${experimentId}/results`)).body.data;
      const { nonces, events } = await readFacts(stores, experimentId);
      const { nRecords } = await readStreams(stores);
      return nRecords === 0 && totals.trials === nonces.length && totals.conversions === events.length;
    },
    recoveryMs,
    'RECORDS is empty and all is learned',
  ).catch((error: unknown) => t.fail(String(error)));
  const { nonces, events } = await readFacts(stores, experimentId);
  const there = new Map(events.map(({ id, nonce }) => [nonce, id]));
  t.equal(there.size, events.length, 'no event twice');
  const lost = [...stored].filter(([nonce, id]) => there.get(nonce) !== id);
  t.strictSame(lost, [], `${stored.size} events answered 201 are on record`);
  const found = new Set(nonces);
  t.equal(found.size, nonces.length, 'no assignment twice');
  const missing = answered.filter(({ body }) => !found.has(readNonce(body.data.assignmentId)));
  t.strictSame(missing, [], 'every assignment answered is on record');
}

const agent = connections(8);
const timeoutMs = 20_000;
const atOnce = 20;

async function assignMany(
  { stores, assignments }: Platform,
  experimentId: string,
  prefix: string,
  n: number,
) {
  const headers = { 'x-api-key': stores.apiKey };
  const url = `${assignments[0]!.url}/assignments`;
  const seen: Seen[] = [];
  for (let from = 0; from < n; from += atOnce) {
    const users = Array.from({ length: Math.min(atOnce, n - from) }, (_, k) => `${prefix} ${from + k}`);
    const asked = users.map((userId) =>
      ask(agent, { url, headers, body: { experimentId, userId }, timeoutMs }),
    );
    seen.push(...(await Promise.all(asked)));
  }
  return seen;
}

/** A conversion with as much metadata as it may have. */
async function convert(
  { stores, ingest, readNonce }: Platform,
  { body }: Seen,
  stored: Map<string, string>,
): Promise<Seen> {
  const { assignmentId } = body.data;
  const seen = await ask(agent, {
    url: `${ingest.url}/events`,
    headers: { 'x-api-key': stores.apiKey },
    body: { assignmentId, eventType: 'CONVERSION', metadata: { ballast: noise() } },
    timeoutMs,
  });
  if (seen.status === 201) stored.set(readNonce(assignmentId), seen.body.data.id);
  return seen;
}

/** What Postgres cannot compress. */
const noise = () => randomBytes(11_000).toString('base64');

function mountDisk(): string | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'bandit-full-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskMb}m,mode=755`, 'tmpfs', dir], { stdio: 'pipe' });
    return dir;
  } catch {
    rmSync(dir, { recursive: true });
    return undefined;
  }
}

function unmountDisk(dir: string): void {
  execFileSync('umount', ['-l', dir], { stdio: 'pipe' });
  rmSync(dir, { recursive: true });
}

/** Takes all that is free but a megabyte. */
function fill(dir: string, path: string): void {
  const { bavail, bsize } = statfsSync(dir);
  writeFileSync(path, Buffer.alloc(Math.max(0, bavail * bsize - 1_048_576)));
}

async function hasEnded(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}
