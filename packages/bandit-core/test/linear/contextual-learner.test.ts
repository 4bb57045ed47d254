import t from 'tap';
import { createLearner, decodeLearner, preparePolicy } from '../../src/create.ts';
import { trainNetwork } from '../../src/neural/train-network.ts';
import type { PolicySpec } from '../../src/options.ts';
import type { Arm, Context, Fact, Learner, TrialFact } from '../../src/policy.ts';
import { createRng } from '../../src/rng.ts';

const linear: PolicySpec = { algorithm: 'LINEAR_CONTEXTUAL', config: {} };
const neural: PolicySpec = { algorithm: 'NEURAL_CONTEXTUAL', config: {} };
const numericOf = ({ algorithm }: PolicySpec): PolicySpec => ({ algorithm, config: { reward: 'numeric' } });
const thompsonOf = ({ algorithm }: PolicySpec): PolicySpec => ({
  algorithm,
  config: { explorer: 'thompson' },
});
const specs = [linear, numericOf(linear), thompsonOf(linear), neural, numericOf(neural)];
const armsOf = (nArms: number): Arm[] =>
  Array.from({ length: nArms }, () => ({ weight: 1, isLive: true, isOriginal: true }));
const nameOf = ({ algorithm, config }: PolicySpec) => `${algorithm} ${JSON.stringify(config)}`;

t.test('replayed, or decoded anywhere: the same state bit for bit', (t) => {
  for (const spec of specs) {
    const chunks = traffic(spec, 8, 60);
    const live = createLearner(spec);
    let resumed = createLearner(spec);
    for (const chunk of chunks) {
      t.equal(live.fold(chunk), resumed.fold(chunk));
      resumed = decodeLearner(spec, resumed.encode());
    }
    const replayed = createLearner(spec);
    for (const chunk of chunks) replayed.fold(chunk);
    t.ok(isSame(resumed.encode(), live.encode()), nameOf(spec));
    t.ok(isSame(replayed.encode(), live.encode()), nameOf(spec));
    t.ok(isSame(resumed.encodeServing(armsOf(3), 1), live.encodeServing(armsOf(3), 1)));
    t.equal(live.nTrials, 8 * 60);
    t.equal(
      live.sums().reduce((sum, { n }) => sum + n, 0),
      8 * 60,
    );
  }
  t.end();
});

t.test('a chunk with one bad fact changes nothing', (t) => {
  const trial = trialOf(0, { a: 'x' });
  const reward = {
    ...trial,
    kind: 'reward',
    previous: 0,
    reward: 1,
    isFirst: true,
    trialPosition: 0,
    trialNumber: undefined,
  } as const;
  const bad: Fact[] = [
    { ...trial, armIndex: -1 },
    { ...trial, armIndex: 0.5 },
    { ...reward, reward: Number.NaN },
    { ...reward, reward: Infinity },
    { ...reward, reward: 2 },
    { ...reward, armIndex: 7 },
    { ...reward, trialPosition: 5 },
  ];
  for (const spec of [linear, neural]) {
    const learner = createLearner(spec);
    learner.fold(traffic(spec, 1, 50)[0]!);
    const before = learner.encode();
    for (const fact of bad) t.throws(() => learner.fold([trial, fact]), RangeError, JSON.stringify(fact));
    t.ok(isSame(learner.encode(), before), spec.algorithm);
  }
  t.end();
});

t.test('PMFs sum to 1, respect the floor, leave removed arms out and follow permutations', (t) => {
  for (const { algorithm, config } of specs) {
    const spec = { algorithm, config: { ...config, explorationFloor: 0.2 } };
    const learner = createLearner(spec);
    for (const chunk of traffic(spec, 6, 80)) learner.fold(chunk);
    const arms = armsOf(5).map((arm, i) => ({ ...arm, isLive: i !== 1, weight: 1 + i }));
    const policy = preparePolicy(spec, learner.encodeServing(arms, 1), arms);
    const rng = createRng(4);
    for (let i = 0; i < 40; i++) {
      const context = contextOf(rng.uniform);
      const pmf = policy.pmf(context);
      t.ok(Math.abs(sum(pmf) - 1) < 1e-12 && pmf[1] === 0, nameOf(spec));
      // Live weights 1, 3, 4, 5: each at least .2 w / 13.
      t.ok([0, 2, 3, 4].every((arm) => pmf[arm]! >= (0.2 * (1 + arm)) / 13 - 1e-15));
      const confidence = policy.confidence(context);
      t.ok(Math.abs(sum(confidence) - 1) < 1e-12 && confidence[1] === 0);
      const decision = policy.decide(context, rng.uniform());
      t.equal(decision.propensity, pmf[decision.armIndex]);
      t.ok(Math.abs(decision.confidence - confidence[decision.armIndex]!) < 2e-3);
    }
    t.ok(isPermuted(spec), `${nameOf(spec)} permuted`);
  }
  t.end();
});

t.test('without data every arm is as likely, and arms without a state are served', (t) => {
  for (const spec of specs) {
    const arms = armsOf(4);
    const policy = preparePolicy(spec, createLearner(spec).encodeServing(arms, 1), arms);
    for (const values of [policy.pmf({ a: 1 }), policy.confidence({ a: 1 })]) {
      t.ok(
        values.every((value) => Math.abs(value - 0.25) < 1e-12),
        nameOf(spec),
      );
    }
    t.equal(preparePolicy(spec, undefined, arms).decide({ a: 1 }, 0.9).propensity, 0.25);
  }
  t.end();
});

t.test('an arm added midway is held to its share; a logistic one starts at the pooled rate', (t) => {
  for (const spec of [linear, neural]) {
    const learner = createLearner(spec);
    const facts = Array.from({ length: 1000 }, (_, i): Fact[] => [
      trialOf(i % 2, undefined),
      ...(i % 20 < 2 ? [rewardOf(i % 2, undefined, 1)] : []),
    ]);
    learner.fold(
      facts.flatMap((pair, i) =>
        pair.map((fact) => (fact.kind === 'reward' ? { ...fact, trialPosition: position(facts, i) } : fact)),
      ),
    );
    const arms = [...armsOf(2), { weight: 1, isLive: true }];
    const policy = preparePolicy(spec, learner.encodeServing(arms.slice(0, 2), 1), arms);
    t.ok(policy.pmf(undefined)[2]! <= 1 / 3 + 1e-12, 'at most its share');
    // 100 successes of 1,000 trials: a prior of 10.04 % beside two arms of 10 %, gamma = 3,162: near 1 / (3 + 3162 * .008).
    t.ok(
      policy.pmf(undefined).every((p) => p > 0.02),
      `${policy.pmf(undefined)}`,
    );
    learner.fold([trialOf(2, undefined)]);
    t.ok(
      preparePolicy(spec, learner.encodeServing(arms, 1), arms)
        .pmf(undefined)
        .every((p) => p > 0.01),
    );
  }
  t.end();
});

t.test('numeric rewards: scale and zero do not matter, extreme values stay finite', (t) => {
  for (const spec of [numericOf(linear), numericOf(neural)]) {
    const [plain, moved] = [numericPolicy(spec, (r) => r), numericPolicy(spec, (r) => 1e3 + 1e6 * r)];
    const [huge, tiny] = [numericPolicy(spec, (r) => 1e12 * r), numericPolicy(spec, (r) => 1e-9 * r)];
    const [constant, extreme] = [
      numericPolicy(spec, () => 7),
      numericPolicy(spec, (r) => (r > 0.5 ? 1e99 : -1e99)),
    ];
    for (let i = 0; i < 20; i++) {
      const context = { c: `c${i % 3}`, x: i };
      const pmf = plain.pmf(context);
      for (const other of [moved, huge, tiny])
        t.ok(pmf.every((p, arm) => Math.abs(p - other.pmf(context)[arm]!) < 1e-4));
      t.ok(
        constant.pmf(context).every((p) => Math.abs(p - 1 / 3) < 1e-9),
        'a constant tells nothing',
      );
      for (const policy of [constant, extreme]) {
        t.ok(
          Math.abs(sum(policy.pmf(context)) - 1) < 1e-9 &&
            Math.abs(sum(policy.confidence(context)) - 1) < 1e-9,
        );
      }
    }
  }
  t.end();
});

t.test('the serving state of 50 arms and 256 columns stays under 512 KB', (t) => {
  for (const spec of [linear, numericOf(linear), neural]) {
    const learner = createLearner(spec);
    const rng = createRng(1);
    for (let chunk = 0; chunk < 3; chunk++) {
      learner.fold(Array.from({ length: 100 }, (_, i) => trialOf(i % 50, wideContext(rng.uniform))));
    }
    if (learner.training) swap(learner, 1);
    learner.fold(Array.from({ length: 50 }, (_, i) => trialOf(i, wideContext(rng.uniform))));
    const arms = armsOf(50);
    const serving = learner.encodeServing(arms, 1);
    t.ok(serving.length < 512 * 1024, `${spec.algorithm}: ${serving.length} bytes`);
    t.ok(Math.abs(sum(preparePolicy(spec, serving, arms).pmf(wideContext(rng.uniform))) - 1) < 1e-9);
  }
  t.end();
});

t.test('10^5 trials of changing users: bounded state, finite numbers, the better arm per segment', (t) => {
  const learner = createLearner(linear);
  const rng = createRng(9);
  t.comment('seed 9');
  const arms = armsOf(2);
  for (let chunk = 0; chunk < 100; chunk++) {
    const policy = preparePolicy(linear, learner.encodeServing(arms, 1), arms);
    const facts: Fact[] = [];
    for (let i = 0; i < 1000; i++) {
      const context = {
        user: `u${Math.floor(rng.uniform() * 1e6)}`,
        segment: rng.uniform() < 0.5 ? 'a' : 'b',
        age: 50 * rng.uniform(),
      };
      const { armIndex, propensity } = policy.decide(context, rng.uniform());
      const isGood = (context.segment === 'a') === (armIndex === 0);
      facts.push({ ...trialOf(armIndex, context), propensity });
      if (rng.uniform() < (isGood ? 0.1 : 0.05))
        facts.push({ ...rewardOf(armIndex, context, 1), trialPosition: facts.length - 1 });
    }
    learner.fold(facts);
  }
  t.ok(learner.encode().length < 250_000, `${learner.encode().length} bytes`);
  const policy = preparePolicy(linear, learner.encodeServing(arms, 1), arms);
  t.ok(policy.pmf({ segment: 'a' })[0]! > 0.9 && policy.pmf({ segment: 'b' })[1]! > 0.9);
  t.ok(policy.confidence({ segment: 'a', age: 25 })[0]! > 0.9);
  t.end();
});

/** Chunks with rewards in the same chunk, late rewards and corrections; propensities and predictions logged. */
function traffic(spec: PolicySpec, nChunks: number, size: number): Fact[][] {
  const isNumeric = 'reward' in spec.config;
  const rng = createRng(21);
  let late: { armIndex: number; context: Context; trialNumber: number }[] = [];
  return Array.from({ length: nChunks }, (_, chunk) => {
    const facts: Fact[] = late.map((trial) => ({
      ...rewardOf(trial.armIndex, trial.context, 1),
      trialNumber: trial.trialNumber,
    }));
    late = [];
    for (let i = 0; i < size; i++) {
      const context = contextOf(rng.uniform);
      const armIndex = Math.floor(3 * rng.uniform());
      const trialPosition = facts.length;
      facts.push({
        ...trialOf(armIndex, context),
        propensity: 1 / 3,
        predictions: [rng.uniform(), rng.uniform()],
      });
      const luck = rng.uniform();
      if (luck < 0.2)
        facts.push({ ...rewardOf(armIndex, context, isNumeric ? 5 * luck - 3 : 1), trialPosition });
      else if (luck < 0.3) late.push({ armIndex, context, trialNumber: chunk * size + i });
    }
    return facts;
  });
}

function trialOf(armIndex: number, context: Context | undefined): TrialFact {
  return { kind: 'trial', armIndex, context, propensity: 0.5, predictions: undefined };
}

function rewardOf(
  armIndex: number,
  context: Context | undefined,
  reward: number,
): Extract<Fact, { kind: 'reward' }> {
  const { propensity, predictions } = trialOf(armIndex, context);
  return {
    kind: 'reward',
    armIndex,
    context,
    propensity,
    predictions,
    previous: 0,
    reward,
    isFirst: true,
    trialPosition: undefined,
    trialNumber: undefined,
  };
}

function position(pairs: readonly Fact[][], pair: number): number {
  return pairs.slice(0, pair).reduce((n, facts) => n + facts.length, 0);
}

function contextOf(uniform: () => number): Context {
  return { plan: `p${Math.floor(4 * uniform())}`, age: 100 * uniform(), isNew: uniform() < 0.5 };
}

function wideContext(uniform: () => number): Context {
  return Object.fromEntries(
    Array.from({ length: 250 }, (_, i) => [
      `key number ${i} with a rather long name of its own, as some have`,
      i % 2 === 0 ? uniform() : `value ${i} ${'x'.repeat(40)}`,
    ]),
  );
}

function swap(learner: Learner, seed: number): void {
  learner.training!.beginSwap(trainNetwork({ ...learner.training!.job(seed), nSteps: 8 }));
  while (!learner.training!.refitSlice(100));
}

/** Feeds 400 numeric rewards, seen through `scale`, and prepares the policy. */
function numericPolicy(spec: PolicySpec, scale: (reward: number) => number) {
  const learner = createLearner(spec);
  const rng = createRng(12);
  for (let i = 0; i < 400; i++) {
    const context = { c: `c${i % 3}`, x: rng.uniform() };
    const armIndex = i % 3;
    const reward = scale((armIndex === i % 2 ? 0.3 : 0) + 0.7 * rng.uniform());
    learner.fold([trialOf(armIndex, context), { ...rewardOf(armIndex, context, reward), trialPosition: 0 }]);
  }
  return preparePolicy(spec, learner.encodeServing(armsOf(3), 1), armsOf(3));
}

/** Learns the same traffic with arms renamed 0 -> 1 -> 2 -> 0 and compares PMFs. */
function isPermuted(spec: PolicySpec): boolean {
  const [plain, turned] = [createLearner(spec), createLearner(spec)];
  for (const chunk of traffic(spec, 3, 50)) {
    plain.fold(chunk);
    turned.fold(chunk.map((fact) => ({ ...fact, armIndex: (fact.armIndex + 1) % 3 })));
  }
  const [one, other] = [plain, turned].map((learner) =>
    preparePolicy(spec, learner.encodeServing(armsOf(3), 1), armsOf(3)),
  );
  const context = { plan: 'p1', age: 30 };
  const [before, after] = [one!.pmf(context), other!.pmf(context)];
  return before.every((p, arm) => Math.abs(p - after[(arm + 1) % 3]!) < 1e-9);
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

/** A difference of large arrays would take minutes to print. */
function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
