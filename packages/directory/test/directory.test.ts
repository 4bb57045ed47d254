import type { ApiKeySnapshot, CompanySnapshot, ExperimentSnapshot } from '@bandit/contracts';
import { limits } from '@bandit/contracts';
import t from 'tap';
import { createDirectory } from '../src/index.ts';

/** A fake database and bus: what management wrote, and who listens. */
function createWorld() {
  const companies = new Map<string, CompanySnapshot>();
  const handlers = new Set<(payload: Uint8Array) => void>();
  const logged: string[] = [];
  const loads: string[][] = [];
  let nowMs = 1_000;
  let isAway = false;
  let nKeyLookups = 0;
  let gate: Promise<void> | undefined;
  const answer = async <T>(read: () => T): Promise<T> => {
    if (isAway) throw new Error('the database is away');
    const value = read();
    await gate;
    return value;
  };
  const directory = createDirectory({
    loadVersions: () => answer(() => [...companies.values()]),
    loadCompanies: (ids) => {
      loads.push([...ids]);
      return answer(() => ids.flatMap((id) => companies.get(id) ?? []));
    },
    findApiKey: (keyId) => {
      nKeyLookups++;
      return answer(() => [...companies.values()].flatMap((c) => c.apiKeys).find((k) => k.keyId === keyId));
    },
    subscribeConfig: async (handler) => {
      handlers.add(handler);
      return { close: async () => void handlers.delete(handler) };
    },
    nowMs: () => nowMs,
    log: { info: (_, message) => logged.push(message), warn: (_, message) => logged.push(message) },
    pollMs: 3_600_000,
  });
  return {
    directory,
    logged,
    loads,
    handlers,
    nKeyLookups: () => nKeyLookups,
    write: (snapshot: CompanySnapshot) => companies.set(snapshot.companyId, snapshot),
    tell: (companyId: string, version: number) => send(handlers, JSON.stringify({ companyId, version })),
    send: (text: string) => send(handlers, text),
    setAway: (away: boolean) => {
      isAway = away;
    },
    setGate: (next: Promise<void> | undefined) => {
      gate = next;
    },
    advance: (ms: number) => {
      nowMs += ms;
    },
  };
}

function send(handlers: Iterable<(payload: Uint8Array) => void>, text: string): void {
  for (const handler of handlers) handler(Buffer.from(text));
}

/** Lets everything that can run without a timer run. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

function experiment(
  companyId: string,
  id: string,
  change: Partial<ExperimentSnapshot> = {},
): ExperimentSnapshot {
  return {
    companyId,
    id,
    partition: 0,
    algorithm: 'THOMPSON_SAMPLING',
    algorithmConfig: {},
    contentType: 'PLAIN_TEXT',
    status: 'active',
    assignmentTtlSeconds: 60,
    endAtMs: undefined,
    treatments: [
      {
        id: 'trt_a',
        position: 0,
        name: 'A',
        config: { content: 'a' },
        weight: 1,
        isLive: true,
        isOriginal: true,
      },
    ],
    ...change,
  };
}

function apiKey(companyId: string, keyId: string): ApiKeySnapshot {
  return {
    companyId,
    id: `key_${keyId}`,
    keyId,
    secretHash: new Uint8Array(32),
    scopes: ['assign'],
    expiresAtMs: undefined,
  };
}

function company(
  companyId: string,
  version: number,
  parts: Partial<Pick<CompanySnapshot, 'experiments' | 'apiKeys'>> = {},
): CompanySnapshot {
  return { companyId, version, experiments: [], apiKeys: [], ...parts };
}

t.test('is ready once every company is held, and finds each under its own company only', async (t) => {
  const world = createWorld();
  t.teardown(() => world.directory.close());
  world.write(company('a', 1, { experiments: [experiment('a', 'exp_1')], apiKeys: [apiKey('a', 'k1')] }));
  world.write(company('b', 1));
  t.equal(world.directory.isReady(), false);
  await world.directory.start();
  t.equal(world.directory.isReady(), true);
  t.strictSame(world.loads, [['a', 'b']], 'one set-based load');
  t.equal(world.directory.findExperiment('a', 'exp_1')?.id, 'exp_1');
  t.equal(world.directory.findExperiment('b', 'exp_1'), undefined);
  t.equal(world.directory.findKey('k1')?.companyId, 'a');
  t.same(
    [...world.directory.experiments()].map(({ id }) => id),
    ['exp_1'],
  );
});

t.test('a config message brings the change in and tells the listeners', async (t) => {
  const world = createWorld();
  t.teardown(() => world.directory.close());
  world.write(company('a', 1, { experiments: [experiment('a', 'exp_1')], apiKeys: [apiKey('a', 'k1')] }));
  await world.directory.start();
  const changed: string[] = [];
  const stop = world.directory.onChange((companyId) => changed.push(companyId));
  world.write(company('a', 2, { experiments: [experiment('a', 'exp_1', { status: 'paused' })] }));
  world.tell('a', 2);
  await settle();
  t.equal(world.directory.findExperiment('a', 'exp_1')?.status, 'paused');
  t.equal(world.directory.findKey('k1'), undefined, 'the revoked key is gone');
  t.strictSame(changed, ['a']);
  stop();
  world.write(company('a', 3));
  world.tell('a', 3);
  await settle();
  t.equal(world.directory.findExperiment('a', 'exp_1'), undefined);
  t.strictSame(changed, ['a'], 'a removed listener hears nothing');
});

t.test('messages that are old, repeated or no messages load nothing', async (t) => {
  const world = createWorld();
  t.teardown(() => world.directory.close());
  world.write(company('a', 5));
  await world.directory.start();
  const before = world.loads.length;
  world.tell('a', 5);
  world.tell('a', 4);
  for (const text of [
    '',
    '{',
    '[]',
    'null',
    '{"companyId":1,"version":9}',
    '{"__proto__":{},"companyId":"a","version":9}',
  ])
    world.send(text);
  await settle();
  t.equal(world.loads.length, before);
});

t.test('messages during a load share one further load, and an older answer never wins', async (t) => {
  const world = createWorld();
  t.teardown(() => world.directory.close());
  world.write(company('a', 1));
  await world.directory.start();
  world.loads.length = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  world.setGate(promise);
  world.write(company('a', 2));
  world.tell('a', 2);
  await settle();
  // The running load has read version 2 already.
  world.write(company('a', 4, { experiments: [experiment('a', 'exp_4')] }));
  world.tell('a', 3);
  world.tell('a', 4);
  world.tell('a', 4);
  world.setGate(undefined);
  resolve();
  await settle();
  t.strictSame(world.loads, [['a'], ['a']]);
  t.ok(world.directory.findExperiment('a', 'exp_4'));
});

t.test('an experiment that did not change stays the same object', async (t) => {
  const world = createWorld();
  t.teardown(() => world.directory.close());
  const [one, two] = [experiment('a', 'exp_1'), experiment('a', 'exp_2')];
  world.write(company('a', 1, { experiments: [one, two] }));
  await world.directory.start();
  const removed = { ...two.treatments[0]!, isLive: false };
  world.write(
    company('a', 2, { experiments: [experiment('a', 'exp_1'), { ...two, treatments: [removed] }] }),
  );
  await world.directory.poll();
  t.equal(world.directory.findExperiment('a', 'exp_1'), one);
  t.equal(world.directory.findExperiment('a', 'exp_2')?.treatments[0]?.isLive, false);
});

t.test('while the database is away it keeps what it has, says so once, and heals by itself', async (t) => {
  const world = createWorld();
  t.teardown(() => world.directory.close());
  world.setAway(true);
  await world.directory.start();
  t.equal(world.directory.isReady(), false);
  world.write(company('a', 1, { experiments: [experiment('a', 'exp_1')] }));
  world.setAway(false);
  await world.directory.poll();
  t.equal(world.directory.isReady(), true);
  world.setAway(true);
  world.write(company('a', 2));
  world.tell('a', 2);
  await settle();
  await world.directory.poll();
  await world.directory.poll();
  t.ok(world.directory.findExperiment('a', 'exp_1'), 'still served');
  t.equal(world.directory.isReady(), true);
  world.setAway(false);
  await world.directory.poll();
  t.equal(world.directory.findExperiment('a', 'exp_1'), undefined);
  const [away, back] = ['cannot load configuration', 'loaded again'];
  t.equal(world.logged.length, 4);
  for (const [i, text] of [away, back, away, back].entries()) t.match(world.logged[i], text);
});

t.test('an unknown key costs one look-up per five seconds, however often it is asked', async (t) => {
  const world = createWorld();
  t.teardown(() => world.directory.close());
  await world.directory.start();
  const asked = await Promise.all(Array.from({ length: 20 }, () => world.directory.loadKey('nobody')));
  t.ok(asked.every((key) => key === undefined));
  t.equal(world.nKeyLookups(), 1);
  await world.directory.loadKey('nobody');
  t.equal(world.nKeyLookups(), 1);
  world.advance(limits.unknownKeyCacheTtlMs + 1);
  await world.directory.loadKey('nobody');
  t.equal(world.nKeyLookups(), 2);
});

t.test('a key made a moment ago is found before its message, and its company comes with it', async (t) => {
  const world = createWorld();
  t.teardown(() => world.directory.close());
  await world.directory.start();
  world.write(
    company('new', 1, { experiments: [experiment('new', 'exp_1')], apiKeys: [apiKey('new', 'k9')] }),
  );
  t.equal((await world.directory.loadKey('k9'))?.companyId, 'new');
  t.ok(world.directory.findExperiment('new', 'exp_1'));
  t.ok(world.directory.findKey('k9'));
});

t.test('key look-ups are bounded, and a database that is away is a 503', async (t) => {
  const world = createWorld();
  t.teardown(() => world.directory.close());
  await world.directory.start();
  const { promise, resolve } = Promise.withResolvers<void>();
  world.setGate(promise);
  const running = Array.from({ length: limits.keyLookupsInFlightMax }, (_, i) =>
    world.directory.loadKey(`x${i}`),
  );
  await t.rejects(world.directory.loadKey('one too many'), { code: 'OVERLOADED', statusCode: 503 });
  resolve();
  await Promise.all(running);
  world.setAway(true);
  await t.rejects(world.directory.loadKey('other'), { code: 'STORE_UNAVAILABLE', statusCode: 503 });
});

t.test('close stops listening and polling', async (t) => {
  const world = createWorld();
  await world.directory.start();
  await world.directory.close();
  t.equal(world.handlers.size, 0);
});

t.test('confirm holds what was committed before it, also while an older look still runs', async (t) => {
  const world = createWorld();
  t.teardown(() => world.directory.close());
  world.write(company('a', 1));
  await world.directory.start();
  const gate = Promise.withResolvers<void>();
  world.setGate(gate.promise);
  // This look has read version 1 and waits.
  const older = world.directory.poll();
  world.write(company('a', 2, { experiments: [experiment('a', 'exp_1')] }));
  const confirmed = Promise.all([world.directory.confirm(), world.directory.confirm()]);
  gate.resolve();
  await Promise.all([older, confirmed]);
  t.equal(world.directory.findExperiment('a', 'exp_1')?.id, 'exp_1');
  t.equal(world.loads.length, 2, 'the first load, and one for both who asked');
});

t.test('confirm never rejects: with the database away it leaves what is held', async (t) => {
  const world = createWorld();
  t.teardown(() => world.directory.close());
  world.write(company('a', 1, { experiments: [experiment('a', 'exp_1')] }));
  await world.directory.start();
  world.setAway(true);
  await world.directory.confirm();
  t.equal(world.directory.findExperiment('a', 'exp_1')?.id, 'exp_1');
});
