import type { ExperimentSnapshot } from '@bandit/contracts';
import { limits } from '@bandit/contracts';
import { createLearner, type Fact } from '@bandit/core';
import t from 'tap';
import { createHotState } from '../../src/hot-state/hot-state.ts';

const arms = [
  { weight: 1, isLive: true, isOriginal: true },
  { weight: 1, isLive: true, isOriginal: true },
];

function experiment(id: string, change: Partial<ExperimentSnapshot> = {}): ExperimentSnapshot {
  return {
    companyId: 'cmp_1',
    id,
    partition: 0,
    algorithm: 'THOMPSON_SAMPLING',
    algorithmConfig: {},
    contentType: 'PLAIN_TEXT',
    status: 'active',
    assignmentTtlSeconds: 60,
    endAtMs: undefined,
    treatments: arms.map((arm, position) => ({
      ...arm,
      id: `trt_${position}`,
      position,
      name: `T${position}`,
      config: { content: 'x' },
    })),
    ...change,
  };
}

/** A serving state in which arm 0 has won `nWins` of as many trials, and arm 1 none of 20. */
function serving(nWins: number): Uint8Array {
  const learner = createLearner({ algorithm: 'THOMPSON_SAMPLING', config: {} });
  const trial = (armIndex: number): Fact => ({
    kind: 'trial',
    armIndex,
    context: undefined,
    propensity: 0.5,
    predictions: undefined,
  });
  const reward = (position: number): Fact => ({
    ...trial(0),
    kind: 'reward',
    previous: 0,
    reward: 1,
    isFirst: true,
    trialPosition: position,
    trialNumber: undefined,
  });
  const wins = Array.from({ length: nWins }, () => trial(0));
  learner.fold([
    ...wins,
    ...wins.map((_, position) => reward(position)),
    ...Array.from({ length: 20 }, () => trial(1)),
  ]);
  return learner.encodeServing(arms, 1);
}

function createWorld(options: { bytesMax?: number; isDatabaseAway?: () => boolean } = {}) {
  const rows = new Map<string, { version: number; serving: Uint8Array; updatedAtMs: number }>();
  const logged: string[] = [];
  const fetched: string[] = [];
  let nowMs = 1_000_000;
  let isAway = false;
  let gate: Promise<void> | undefined;
  let onMessage: ((payload: Uint8Array) => void) | undefined;
  const log = (_: object, message: string) => void logged.push(message);
  const hotState = createHotState({
    async listServingStates(sinceMs, servingBytesMax) {
      if (isAway) throw new Error('the database is away');
      return [...rows].flatMap(([experimentId, row]) =>
        row.updatedAtMs < sinceMs
          ? []
          : [
              {
                companyId: 'cmp_1',
                experimentId,
                ...row,
                serving: row.serving.byteLength <= servingBytesMax ? row.serving : undefined,
              },
            ],
      );
    },
    async loadServingState(_, experimentId) {
      fetched.push(experimentId);
      const row = rows.get(experimentId);
      await gate;
      if (isAway) throw new Error('the database is away');
      return row;
    },
    async subscribeState(handler) {
      onMessage = handler;
      return {
        close: async () => {
          onMessage = undefined;
        },
      };
    },
    nowMs: () => nowMs,
    log: { info: log, warn: log, error: log },
    pollMs: 3_600_000,
    ...options,
  });
  const write = (experimentId: string, version: number, bytes: Uint8Array) =>
    void rows.set(experimentId, { version, serving: bytes, updatedAtMs: nowMs });
  return {
    hotState,
    logged,
    fetched,
    write,
    send: (text: string) => onMessage?.(Buffer.from(text)),
    tell(experimentId: string, version: number, bytes?: Uint8Array) {
      const inline = bytes && { serving: Buffer.from(bytes).toString('base64') };
      onMessage?.(Buffer.from(JSON.stringify({ companyId: 'cmp_1', experimentId, version, ...inline })));
    },
    isListening: () => onMessage !== undefined,
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

async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** As large as a contextual state: not held before its first use. */
const large = (bytes: Uint8Array) => {
  const padded = new Uint8Array(limits.eagerServingBytesMax + 1);
  padded.set(bytes);
  return padded;
};

t.test('without a learned state an experiment serves by weight, as state version 0', async (t) => {
  const { hotState } = createWorld();
  t.teardown(() => hotState.close());
  await hotState.start();
  const prepared = hotState.findPolicy(experiment('exp_1'))!;
  t.equal(prepared.stateVersion, 0);
  t.same([...prepared.policy.pmf(undefined)], [0.5, 0.5]);
});

t.test('small states are there from the start, and a message brings the next one', async (t) => {
  const world = createWorld();
  t.teardown(() => world.hotState.close());
  world.write('exp_1', 3, serving(20));
  t.equal(world.hotState.isReady(), false);
  await world.hotState.start();
  t.equal(world.hotState.isReady(), true);
  const exp = experiment('exp_1');
  const before = world.hotState.findPolicy(exp)!;
  t.equal(before.stateVersion, 3);
  t.ok(before.policy.pmf(undefined)[0]! > 0.9);
  t.equal(world.hotState.findPolicy(exp), before, 'prepared once per state and configuration');
  world.tell('exp_1', 4, serving(0));
  const after = world.hotState.findPolicy(exp)!;
  t.equal(after.stateVersion, 4);
  t.ok(after.policy.pmf(undefined)[0]! > 0.5);
  t.same(world.fetched, []);
});

t.test('state versions only go forward, whatever order they arrive in', async (t) => {
  const world = createWorld();
  t.teardown(() => world.hotState.close());
  world.write('exp_1', 9, serving(20));
  await world.hotState.start();
  const exp = experiment('exp_1');
  for (const version of [9, 8, 1, 0]) world.tell('exp_1', version, serving(0));
  world.write('exp_1', 2, serving(0));
  await world.hotState.poll();
  t.equal(world.hotState.findPolicy(exp)?.stateVersion, 9);
  world.tell('exp_1', 11, serving(1));
  world.tell('exp_1', 10, serving(2));
  t.equal(world.hotState.findPolicy(exp)?.stateVersion, 11);
});

t.test('a large state is fetched on first use and followed from then on', async (t) => {
  const world = createWorld();
  t.teardown(() => world.hotState.close());
  const exp = experiment('exp_1');
  world.write('exp_1', 1, large(serving(20)));
  await world.hotState.start();
  t.same(world.fetched, [], 'nothing is fetched before its first use');
  t.equal(world.hotState.findPolicy(exp), undefined);
  const [a, b] = await Promise.all([world.hotState.loadPolicy(exp), world.hotState.loadPolicy(exp)]);
  t.equal(a, b);
  t.same(world.fetched, ['exp_1'], 'simultaneous uses share one fetch');
  world.write('exp_1', 2, large(serving(20)));
  world.tell('exp_1', 2);
  await settle();
  t.same(world.fetched, ['exp_1', 'exp_1'], 'a message without the state has it fetched');
});

t.test('while the database is known to be away no first use waits for a fetch', async (t) => {
  let isDatabaseAway = true;
  const world = createWorld({ isDatabaseAway: () => isDatabaseAway });
  t.teardown(() => world.hotState.close());
  const exp = experiment('exp_1');
  world.write('exp_1', 3, large(serving(20)));
  await world.hotState.start();
  t.match(world.hotState.findPolicy(exp), { stateVersion: 0 }, 'by weight');
  t.same(world.fetched, []);
  isDatabaseAway = false;
  t.equal(world.hotState.findPolicy(exp), undefined);
  t.match(await world.hotState.loadPolicy(exp), { stateVersion: 3 });
});

t.test('a version heard of during a fetch is fetched too', async (t) => {
  const world = createWorld();
  t.teardown(() => world.hotState.close());
  world.write('exp_1', 1, serving(20));
  await world.hotState.start();
  const { promise, resolve } = Promise.withResolvers<void>();
  world.setGate(promise);
  world.write('exp_1', 2, serving(20));
  world.tell('exp_1', 2);
  world.write('exp_1', 3, serving(20));
  world.tell('exp_1', 3);
  world.setGate(undefined);
  resolve();
  await settle();
  t.equal(world.hotState.findPolicy(experiment('exp_1'))?.stateVersion, 3);
});

t.test('a fetch that answers with an older state than came meanwhile changes nothing', async (t) => {
  const world = createWorld();
  t.teardown(() => world.hotState.close());
  world.write('exp_1', 1, serving(20));
  await world.hotState.start();
  const { promise, resolve } = Promise.withResolvers<void>();
  world.setGate(promise);
  world.write('exp_1', 2, serving(20));
  world.tell('exp_1', 2);
  world.tell('exp_1', 5, serving(20));
  resolve();
  await settle();
  t.equal(world.hotState.findPolicy(experiment('exp_1'))?.stateVersion, 5);
});

t.test('the poll heals what messages missed, and looks at what changed only', async (t) => {
  const world = createWorld();
  t.teardown(() => world.hotState.close());
  world.write('exp_1', 1, serving(20));
  await world.hotState.start();
  world.advance(limits.statePollOverlapMs * 2);
  world.write('exp_1', 2, serving(20));
  await world.hotState.poll();
  t.equal(world.hotState.findPolicy(experiment('exp_1'))?.stateVersion, 2);
});

t.test('while the database is away what is held is served, and that is said once', async (t) => {
  const world = createWorld();
  t.teardown(() => world.hotState.close());
  world.write('exp_1', 1, serving(20));
  world.write('exp_2', 1, large(serving(20)));
  await world.hotState.start();
  world.setAway(true);
  await world.hotState.poll();
  await world.hotState.poll();
  t.equal(world.hotState.findPolicy(experiment('exp_1'))?.stateVersion, 1);
  const cold = await world.hotState.loadPolicy(experiment('exp_2'));
  t.equal(cold.stateVersion, 0, 'never fetched: by weight');
  t.ok(world.hotState.findPolicy(experiment('exp_2')), 'and the next request does not wait again');
  t.equal(world.fetched.length, 1);
  world.setAway(false);
  world.advance(3_600_000);
  await world.hotState.poll();
  t.equal(world.hotState.findPolicy(experiment('exp_2')), undefined, 'tried again after a while');
  const lists = world.logged.filter((message) => /list|loaded again/.test(message));
  t.equal(lists.length, 2);
});

t.test('a state that cannot be decoded leaves the one before it in place', async (t) => {
  const world = createWorld();
  t.teardown(() => world.hotState.close());
  world.write('exp_1', 1, serving(20));
  await world.hotState.start();
  const exp = experiment('exp_1');
  const good = world.hotState.findPolicy(exp)!;
  world.tell('exp_1', 2, Buffer.from('garbage'));
  t.equal(world.hotState.findPolicy(exp), good);
  t.equal(world.hotState.findPolicy(exp), good);
  t.equal(world.logged.filter((message) => message.includes('cannot be served from')).length, 1);
  world.tell('exp_2', 2, Buffer.from('garbage'));
  t.equal(world.hotState.findPolicy(experiment('exp_2'))?.stateVersion, 0);
  world.tell('exp_1', 3, serving(20));
  t.equal(world.hotState.findPolicy(exp)?.stateVersion, 3);
});

t.test('a changed experiment is prepared anew: a removed treatment has probability zero', async (t) => {
  const world = createWorld();
  t.teardown(() => world.hotState.close());
  world.write('exp_1', 1, serving(20));
  await world.hotState.start();
  const exp = experiment('exp_1');
  t.ok(world.hotState.findPolicy(exp));
  const treatments = exp.treatments.map((treatment) => ({ ...treatment, isLive: treatment.position === 1 }));
  const changed = world.hotState.findPolicy({ ...exp, treatments })!;
  t.same([...changed.policy.pmf(undefined)], [0, 1]);
  t.equal(changed.stateVersion, 1);
});

t.test('messages that are none change nothing', async (t) => {
  const world = createWorld();
  await world.hotState.start();
  const messages = [
    '',
    '[]',
    '{"companyId":"cmp_1","experimentId":"exp_1","version":-1}',
    '{"companyId":"cmp_1","experimentId":"exp_1","version":1.5}',
    '{"companyId":"cmp_1","experimentId":"exp_1","version":1,"serving":5}',
    '{"__proto__":{"version":1},"companyId":"cmp_1","experimentId":"exp_1","version":1}',
  ];
  for (const text of messages) world.send(text);
  t.equal(world.hotState.findPolicy(experiment('exp_1'))?.stateVersion, 0);
  await world.hotState.close();
  t.equal(world.isListening(), false);
});

t.test('past its memory it lets go of states that nobody used between two polls', async (t) => {
  const world = createWorld({ bytesMax: 1 });
  t.teardown(() => world.hotState.close());
  world.write('exp_1', 1, serving(20));
  world.write('exp_2', 1, serving(20));
  await world.hotState.start();
  t.equal(world.hotState.findPolicy(experiment('exp_1')), undefined, 'let go by the first poll');
  await world.hotState.loadPolicy(experiment('exp_1'));
  t.ok(world.hotState.findPolicy(experiment('exp_1')));
  world.advance(limits.statePollOverlapMs * 2);
  await world.hotState.poll();
  t.ok(world.hotState.findPolicy(experiment('exp_1')), 'used: kept');
  await world.hotState.poll();
  await world.hotState.poll();
  t.equal(world.hotState.findPolicy(experiment('exp_1')), undefined);
});
