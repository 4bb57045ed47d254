import fc from 'fast-check';
import t from 'tap';
import { BinaryWriter } from '../../src/codec/binary-writer.ts';
import { mergeLearners } from '../../src/context-free/merge-sums.ts';
import { createLearner, decodeLearner, preparePolicy } from '../../src/create.ts';
import type { PolicySpec } from '../../src/options.ts';
import type { Arm, Fact, Learner } from '../../src/policy.ts';
import { createRng } from '../../src/rng.ts';

const seed = 20_263;
const nothing = { context: undefined, propensity: undefined, predictions: undefined };
const trial = (armIndex: number): Fact => ({ kind: 'trial', armIndex, ...nothing });
const reward = (
  armIndex: number,
  value: number,
  options: { previous?: number; at?: number; number?: number } = {},
): Fact => ({
  kind: 'reward',
  armIndex,
  ...nothing,
  previous: options.previous ?? 0,
  reward: value,
  isFirst: options.previous === undefined,
  trialPosition: options.at,
  trialNumber: options.number,
});
const thompson: PolicySpec = { algorithm: 'THOMPSON_SAMPLING', config: {} };
const numeric: PolicySpec = { algorithm: 'THOMPSON_SAMPLING', config: { reward: 'numeric' } };
const equalArms = (n: number): Arm[] => Array.from({ length: n }, () => ({ weight: 1, isLive: true }));
const hex = (learner: Learner) => Buffer.from(learner.encode()).toString('hex');
const pmfOf = (spec: PolicySpec, learner: Learner, arms: Arm[], nSince = 1) => [
  ...preparePolicy(spec, learner.encodeServing(arms, nSince), arms).pmf(undefined),
];

t.test('a trial counts as 0 at once, its reward takes the place of that 0', (t) => {
  const learner = createLearner(thompson);
  t.equal(learner.fold([trial(0), trial(1), reward(0, 1, { at: 0 })]), 0);
  t.equal(learner.fold([trial(2)]), 2);
  t.equal(learner.nTrials, 3);
  t.strictSame(learner.sums(), [
    { n: 1, s: 1, s2: 1 },
    { n: 1, s: 0, s2: 0 },
    { n: 1, s: 0, s2: 0 },
  ]);
  t.end();
});

t.test("a correction moves sums by differences: s += r' - r, s2 += r'^2 - r^2", (t) => {
  const learner = createLearner(numeric);
  learner.fold([trial(0), reward(0, 3, { at: 0 }), trial(0)]);
  learner.fold([reward(0, 5, { previous: 3, number: 0 })]);
  // s = 3 + (5 - 3), s2 = 9 + (25 - 9)
  t.strictSame(learner.sums(), [{ n: 2, s: 5, s2: 25 }]);
  t.end();
});

t.test('a bad fact is refused by position and leaves the state as it was', (t) => {
  const bad: [PolicySpec, Fact, RegExp][] = [
    [thompson, trial(-1), /armIndex of fact 1 .* got -1/],
    [thompson, trial(0.5), /armIndex of fact 1/],
    [thompson, trial(1e9), /armIndex of fact 1/],
    [thompson, reward(0, 2), /reward of fact 1 must be 0 to 1, got 2/],
    [thompson, reward(0, Number.NaN), /got NaN/],
    [thompson, reward(3, 1), /fact 1 rewards arm 3, which must have a trial first/],
    [thompson, reward(0, 1, { at: 1 }), /trialPosition of fact 1 .* arm 0, got 1/],
    [thompson, reward(3, 1, { at: 0 }), /trialPosition of fact 1 .* arm 3, got 0/],
    [thompson, reward(0, 0, { previous: 1 }), /to -1 successes/],
    [numeric, reward(0, Infinity), /reward of fact 1 must be finite/],
    [numeric, reward(0, 1, { previous: Number.NaN }), /previous reward of fact 1/],
    [numeric, reward(0, 1e200), /got 1e\+200/],
    [
      { ...thompson, config: { discount: 0.9 } },
      reward(0, 1, { number: 7 }),
      /trialNumber of fact 1 .* got 7/,
    ],
  ];
  for (const [spec, fact, message] of bad) {
    const learner = createLearner(spec);
    learner.fold([trial(0)]);
    const before = hex(learner);
    t.throws(() => learner.fold([trial(0), fact]), { name: 'RangeError', message });
    t.equal(hex(learner), before);
  }
  // Two rewards of one trial would make more successes than trials.
  t.throws(
    () => createLearner(thompson).fold([trial(0), reward(0, 1), reward(0, 1)]),
    /to 2 successes, allowed are 0 to 1/,
  );
  t.end();
});

t.test('order, batching and merging of sums do not matter', (t) => {
  const values = fc.array(fc.tuple(fc.nat(3), fc.double({ min: -1e6, max: 1e6, noNaN: true })), {
    minLength: 1,
    maxLength: 60,
  });
  fc.assert(
    fc.property(values, fc.nat(59), (pairs, cut) => {
      const facts = (some: typeof pairs) =>
        some.flatMap(([arm, value], i) => [trial(arm), reward(arm, value, { at: 2 * i })]);
      const whole = createLearner(numeric);
      whole.fold(facts(pairs));
      const turned = createLearner(numeric);
      for (const pair of [...pairs].reverse()) turned.fold(facts([pair]));
      const [left, right] = [createLearner(numeric), createLearner(numeric)];
      left.fold(facts(pairs.slice(0, cut)));
      right.fold(facts(pairs.slice(cut)));
      const merged = decodeLearner(numeric, mergeLearners(numeric, left.encode(), right.encode()));
      // Double-double sums: equal to the last bit, whatever the order.
      const expected = JSON.stringify(whole.sums());
      return JSON.stringify(turned.sums()) === expected && JSON.stringify(merged.sums()) === expected;
    }),
    { seed, numRuns: 200 },
  );
  t.throws(
    () => mergeLearners({ ...thompson, config: { discount: 0.99 } }, new Uint8Array(), new Uint8Array()),
    /discount/,
  );
  t.throws(
    () => mergeLearners({ algorithm: 'LINEAR_CONTEXTUAL', config: {} }, new Uint8Array(), new Uint8Array()),
    /context-free/,
  );
  t.end();
});

t.test(
  'merging keeps when an arm was first tried: trials of the second come after those of the first',
  (t) => {
    const trials = (arm: number, count: number) => Array.from({ length: count }, () => trial(arm));
    const [left, right] = [createLearner(thompson), createLearner(thompson)];
    left.fold(trials(0, 500));
    right.fold([...trials(1, 10), ...trials(0, 10)]);
    const merged = decodeLearner(thompson, mergeLearners(thompson, left.encode(), right.encode()));
    t.equal(merged.nTrials, 520);
    // First tried at 500 of two equal shares: 500 / 2 > 20, so arm 1 is new and held to its half.
    t.ok(pmfOf(thompson, merged, equalArms(2))[1]! <= 0.5);
    t.ok(pmfOf(thompson, right, equalArms(2))[1]! <= 0.5);
    const other = decodeLearner(thompson, mergeLearners(thompson, right.encode(), left.encode()));
    t.ok(pmfOf(thompson, other, equalArms(2))[1]! > 0.9, 'the other way round it was there from the start');
    t.end();
  },
);

t.test('encode and decode continue bit for bit', (t) => {
  for (const spec of [
    thompson,
    numeric,
    { ...numeric, config: { reward: 'numeric', discount: 0.97 } } as PolicySpec,
  ]) {
    const rng = createRng(seed);
    const straight = createLearner(spec);
    let broken = createLearner(spec);
    for (let chunk = 0; chunk < 30; chunk++) {
      const arm = Math.floor(3 * rng.uniform());
      const value = spec === thompson ? 1 : 100 * rng.uniform();
      const facts = [trial(arm), trial(2 - arm), reward(arm, value, { at: 0 })];
      straight.fold(facts);
      broken.fold(facts);
      broken = decodeLearner(spec, broken.encode());
      t.equal(hex(broken), hex(straight));
    }
    const arms = equalArms(3);
    t.strictSame(broken.encodeServing(arms, 5), straight.encodeServing(arms, 5));
  }
  t.end();
});

t.test('damaged or foreign states are refused', (t) => {
  const bytes = createLearner(thompson).encode();
  t.throws(() => decodeLearner(thompson, new Uint8Array()), RangeError);
  t.throws(() => decodeLearner(thompson, bytes.subarray(0, bytes.length - 1)), RangeError);
  t.throws(
    () => decodeLearner(thompson, createLearner(thompson).encodeServing(equalArms(1), 1)),
    /state kind/,
  );
  t.throws(() => preparePolicy(thompson, bytes, equalArms(1)), /state kind/);
  t.end();
});

t.test('serving recomputes where arms, weights or options differ from those it was encoded for', (t) => {
  const learner = createLearner(thompson);
  learner.fold([
    ...Array.from({ length: 300 }, (_, i) => trial(i % 3)),
    reward(0, 1),
    reward(1, 1),
    reward(1, 1),
  ]);
  const encodedFor = equalArms(3);
  const served = learner.encodeServing(encodedFor, 1);
  const changes: Arm[][] = [
    [...equalArms(2), { weight: 1, isLive: false }],
    [...equalArms(2), { weight: 5, isLive: true }],
    equalArms(4),
  ];
  for (const arms of changes) {
    t.strictSame(
      preparePolicy(thompson, served, arms).pmf(undefined),
      preparePolicy(thompson, learner.encodeServing(arms, 1), arms).pmf(undefined),
    );
  }
  const other: PolicySpec = { algorithm: 'EPSILON_GREEDY', config: {} };
  t.strictSame(
    [...preparePolicy(other, served, encodedFor).pmf(undefined)],
    pmfOf(other, learner, encodedFor),
  );
  t.end();
});

t.test('nothing learned yet: shares by weight, confidence 1/K over the live arms', (t) => {
  const arms: Arm[] = [
    { weight: 3, isLive: true },
    { weight: 9, isLive: false },
    { weight: 1, isLive: true },
  ];
  for (const algorithm of ['EPSILON_GREEDY', 'UCB1', 'THOMPSON_SAMPLING'] as const) {
    const spec: PolicySpec = { algorithm, config: {} };
    for (const serving of [undefined, createLearner(spec).encodeServing(arms, 1)]) {
      const policy = preparePolicy(spec, serving, arms);
      t.strictSame([...policy.pmf(undefined)], [0.75, 0, 0.25]);
      t.strictSame([...policy.confidence(undefined)], [0.5, 0, 0.5]);
    }
    t.throws(() => preparePolicy(spec, undefined, [{ weight: 1, isLive: false }]), /must be live/);
  }
  t.end();
});

t.test('a decision carries the exact probability of its draw and the confidence', (t) => {
  const learner = createLearner(thompson);
  learner.fold([trial(0), trial(1), reward(1, 1)]);
  const arms = equalArms(2);
  const policy = preparePolicy(thompson, learner.encodeServing(arms, 1), arms);
  const pmf = policy.pmf(undefined);
  // Beta(1, 2) against Beta(2, 1): P(second) = 1 - integral 2 (1-x) x^2 dx = 1 - 2 (1/3 - 1/4) = 5/6; floor .02.
  t.ok(Math.abs(pmf[1]! - (0.98 * (5 / 6) + 0.01)) < 1e-12);
  const decision = policy.decide(undefined, 0.999);
  t.same(decision, {
    armIndex: 1,
    propensity: pmf[1],
    confidence: policy.confidence(undefined)[1],
    predictions: undefined,
  });
  t.ok(Math.abs(decision.confidence - 5 / 6) < 1e-12);
  // The caller may do what it wants with its copy.
  pmf.fill(0);
  t.ok(policy.pmf(undefined)[1]! > 0.8);
  t.end();
});

t.test('discounted sums equal the slow sum over trials, in whatever chunk the reward comes', (t) => {
  const g = 0.95;
  const spec: PolicySpec = { algorithm: 'THOMPSON_SAMPLING', config: { discount: g, explorationFloor: 0 } };
  const learner = createLearner(spec);
  const rng = createRng(seed);
  const arms: number[] = [];
  const successes = new Set<number>();
  let late: Fact[] = [];
  for (let chunk = 0; chunk < 60; chunk++) {
    const facts = late;
    late = [];
    for (let i = 0; i < 10; i++) {
      const arm = Math.floor(2 * rng.uniform());
      const number = arms.push(arm) - 1;
      facts.push(trial(arm));
      if (rng.uniform() > 0.4) continue;
      successes.add(number);
      if (rng.uniform() < 0.5) facts.push(reward(arm, 1, { at: facts.length - 1 }));
      else late.push(reward(arm, 1, { number }));
    }
    learner.fold(facts);
  }
  learner.fold(late);
  const t0 = arms.length - 1;
  const sums = [0, 1].map((own) => {
    let [n, s] = [0, 0];
    arms.forEach((arm, i) => {
      if (arm !== own) return;
      n += g ** (t0 - i);
      if (successes.has(i)) s += g ** (t0 - i);
    });
    return { n, s };
  });
  const plain = createLearner({ algorithm: 'THOMPSON_SAMPLING', config: {} });
  t.ok(
    sums.every(({ n }) => n < 20),
    'the sums are those of about 20 trials',
  );
  const expected = slowPair(sums[0]!, sums[1]!);
  t.ok(Math.abs(pmfOf(spec, learner, equalArms(2))[0]! - expected) < 1e-4, `${expected}`);
  // Undiscounted sums stay for inference.
  t.strictSame(
    learner.sums().map(({ n }) => n),
    [0, 1].map((own) => arms.filter((arm) => arm === own).length),
  );
  t.equal(plain.nTrials, 0);
  t.end();
});

/** P(first > second) for Beta(1 + s, 1 + n - s) by the midpoint rule. */
function slowPair(a: { n: number; s: number }, b: { n: number; s: number }): number {
  const nCells = 20_000;
  const density = ({ n, s }: { n: number; s: number }) => {
    const values = Array.from({ length: nCells }, (_, i) => {
      const x = (i + 0.5) / nCells;
      return x ** s * (1 - x) ** (n - s);
    });
    const total = values.reduce((sum, value) => sum + value, 0);
    return values.map((value) => value / total);
  };
  const [first, second] = [density(a), density(b)];
  let below = 0;
  return first.reduce((sum, p, i) => {
    const chance = sum + p * (below + 0.5 * second[i]!);
    below += second[i]!;
    return chance;
  }, 0);
}

t.test('no algorithm changes its choice when numeric rewards are scaled or shifted', (t) => {
  const rng = createRng(seed);
  const rows = Array.from({ length: 400 }, () => {
    const arm = Math.floor(3 * rng.uniform());
    return { arm, value: arm + 5 * rng.uniform() };
  });
  const specs: PolicySpec[] = [
    numeric,
    ...(['ucb1', 'tuned', 'kl'] as const).map((variant) => ({
      algorithm: 'UCB1' as const,
      config: { reward: 'numeric' as const, variant },
    })),
    { algorithm: 'EPSILON_GREEDY', config: { reward: 'numeric' } },
  ];
  for (const spec of specs) {
    const pmfAt = (scale: number, shift: number) => {
      const learner = createLearner(spec);
      learner.fold(
        rows.flatMap(({ arm, value }, i) => [trial(arm), reward(arm, scale * value + shift, { at: 2 * i })]),
      );
      return pmfOf(spec, learner, equalArms(3), 100);
    };
    const expected = pmfAt(1, 0);
    for (const [scale, shift] of [
      [1e-30, 0],
      [1e12, 0],
      [1e40, 0],
      [3, 7],
      [1, 1e9],
    ] as const) {
      const pmf = pmfAt(scale, shift);
      // One virtual pull of a hundred may fall to another arm when rounding breaks a near tie.
      const tolerance = spec.algorithm === 'UCB1' ? 0.011 : 1e-6;
      t.ok(
        pmf.every((p, k) => Math.abs(p - expected[k]!) < tolerance),
        `${JSON.stringify(spec)} ${scale}, ${shift}: ${pmf} for ${expected}`,
      );
    }
  }
  t.end();
});

t.test('numeric rewards that are all alike leave Thompson at the shares, whatever their value', (t) => {
  const spec: PolicySpec = { algorithm: 'THOMPSON_SAMPLING', config: { reward: 'numeric' } };
  // 3, 7 and 11 times .1: the means differ in their last digit, .1 and .09999999999999999.
  for (const value of [0.1, -7.7, 1, 3e11]) {
    const learner = createLearner(spec);
    for (const [arm, n] of [3, 7, 11].entries())
      for (let i = 0; i < n; i++) learner.fold([trial(arm), reward(arm, value)]);
    const arms = equalArms(3);
    const pmf = preparePolicy(spec, learner.encodeServing(arms, 1), arms).pmf(undefined);
    t.ok(
      pmf.every((p) => Math.abs(p - 1 / 3) < 1e-12),
      `${value}: ${pmf}`,
    );
  }
  t.end();
});

t.test('a state of a later version is read as far as it is known', (t) => {
  const learner = createLearner(thompson);
  learner.fold([trial(0), reward(0, 1, { at: 0 })]);
  const later = new BinaryWriter().section(99, (body) => body.string('not known here')).finish();
  t.strictSame(decodeLearner(thompson, Buffer.concat([learner.encode(), later])).sums(), learner.sums());
  const serving = learner.encodeServing(equalArms(2), 1);
  t.strictSame(
    preparePolicy(thompson, Buffer.concat([serving, later]), equalArms(2)).pmf(undefined),
    preparePolicy(thompson, serving, equalArms(2)).pmf(undefined),
  );
  // Rows that a later version made wider: its new columns are skipped.
  const wide = new BinaryWriter()
    .header(1, 1)
    .section(1, (body) => body.varint(2).f64(1).varint(11).f64s([2, 1, 0, 1, 0, 0, 0, 0, 0, 123, 456]));
  t.strictSame(decodeLearner(thompson, wide.finish()).sums(), [{ n: 2, s: 1, s2: 1 }]);
  t.end();
});

t.test('no numeric reward breaks any algorithm: probabilities stay finite and sum to one', (t) => {
  const value = fc.oneof(
    fc.double({ min: -1e12, max: 1e12, noNaN: true }),
    fc.constantFrom(0, -0, 1e-300, 5e-324, 1e-158, 3e-161, 1e100, -1e100, 1e12, 1),
  );
  const specs: PolicySpec[] = [
    ...(['ucb1', 'tuned', 'kl'] as const).map((variant) => ({
      algorithm: 'UCB1' as const,
      config: { reward: 'numeric' as const, variant },
    })),
    { algorithm: 'UCB1', config: { reward: 'numeric', variant: 'kl', valueRange: [-1, 1] } },
    { algorithm: 'EPSILON_GREEDY', config: { reward: 'numeric', discount: 0.99 } },
    numeric,
    { algorithm: 'THOMPSON_SAMPLING', config: { reward: 'numeric', discount: 0.95 } },
  ];
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(3), value), { maxLength: 12 }),
      fc.constantFrom(...specs),
      (pairs, spec) => {
        const learner = createLearner(spec);
        learner.fold(pairs.flatMap(([arm, own], i) => [trial(arm), reward(arm, own, { at: 2 * i })]));
        const arms = equalArms(4);
        const policy = preparePolicy(spec, learner.encodeServing(arms, 7), arms);
        const isLaw = (p: Float64Array) =>
          p.every((q) => q >= 0 && q <= 1) && Math.abs(p.reduce((a, b) => a + b, 0) - 1) < 1e-9;
        return isLaw(policy.pmf(undefined)) && isLaw(policy.confidence(undefined));
      },
    ),
    { seed, numRuns: 500 },
  );
  t.end();
});

t.test('10^5 steps leave a state no larger than its arms', (t) => {
  const spec: PolicySpec = { algorithm: 'THOMPSON_SAMPLING', config: { discount: 0.999 } };
  const learner = createLearner(spec);
  const rng = createRng(seed);
  let sizeEarly = 0;
  for (let step = 0; step < 100_000; step++) {
    const arm = Math.floor(5 * rng.uniform());
    learner.fold(rng.uniform() < 0.1 ? [trial(arm), reward(arm, 1, { at: 0 })] : [trial(arm)]);
    if (step === 1000) sizeEarly = learner.encode().length;
  }
  // A few more bytes for larger counts.
  t.ok(learner.encode().length <= sizeEarly + 8);
  t.ok(learner.encodeServing(equalArms(50), 1).length < 8192);
  t.end();
});
