import t from 'tap';
import { createLearner, decodeLearner, preparePolicy } from '../src/create.ts';
import type { Algorithm, Arm, Context, Fact, Learner } from '../src/policy.ts';
import { createRng } from '../src/rng.ts';

const algorithms: Algorithm[] = [
  'EPSILON_GREEDY',
  'UCB1',
  'THOMPSON_SAMPLING',
  'LINEAR_CONTEXTUAL',
  'NEURAL_CONTEXTUAL',
];
const seed = 20_267;
const confidenceTolerance = 1e-3;
const arms: Arm[] = [
  { weight: 1, isLive: true },
  { weight: 2, isLive: true },
  { weight: 1, isLive: false },
  { weight: 1, isLive: true },
];
const context: Context = { device: 'phone', visits: 7, isMember: true };

/** Plays `nTrials` in chunks of 20 whose rewards come with the next chunk. */
function play(learner: Learner, algorithm: Algorithm, nTrials: number): Learner {
  const rng = createRng(seed);
  let late: Fact[] = [];
  for (let start = 0; start < nTrials; start += 20) {
    const serving = start === 0 ? undefined : learner.encodeServing(arms, 20);
    const policy = preparePolicy({ algorithm, config: {} }, serving, arms);
    const facts = late;
    late = [];
    for (let number = start; number < start + 20; number++) {
      const own = { ...context, visits: Math.floor(10 * rng.uniform()) };
      const { armIndex, propensity, predictions } = policy.decide(own, rng.uniform());
      const common = { armIndex, context: own, propensity, predictions };
      facts.push({ kind: 'trial', ...common });
      if (rng.uniform() > 0.2 * armIndex) continue;
      late.push({
        kind: 'reward',
        ...common,
        previous: 0,
        reward: 1,
        isFirst: true,
        trialPosition: undefined,
        trialNumber: number,
      });
    }
    learner.fold(facts);
  }
  return learner;
}

for (const algorithm of algorithms) {
  const spec = { algorithm, config: {} };
  t.test(`${algorithm}: unlearned serves by weight`, (t) => {
    const policy = preparePolicy(spec, undefined, arms);
    t.strictSame([...policy.pmf(context)], [0.25, 0.5, 0, 0.25]);
    t.strictSame([...policy.confidence(context)], [1 / 3, 1 / 3, 0, 1 / 3]);
    t.match(policy.decide(undefined, 0.3), { armIndex: 1, propensity: 0.5 });
    t.end();
  });

  t.test(`${algorithm}: what decide says is what pmf and confidence say`, (t) => {
    const learner = play(createLearner(spec), algorithm, 400);
    const policy = preparePolicy(spec, learner.encodeServing(arms, 20), arms);
    let gap = 0;
    for (const own of [context, undefined, {}, { device: 'never seen', visits: -1e6, other: 1 }]) {
      const pmf = policy.pmf(own);
      const confidence = policy.confidence(own);
      t.ok(Math.abs(pmf.reduce((sum, p) => sum + p, 0) - 1) < 1e-9);
      t.ok(Math.abs(confidence.reduce((sum, p) => sum + p, 0) - 1) < 1e-6);
      t.equal(pmf[2], 0);
      const rng = createRng(seed);
      for (let i = 0; i < 50; i++) {
        const decision = policy.decide(own, rng.uniform());
        t.equal(decision.propensity, pmf[decision.armIndex]);
        gap = Math.max(gap, Math.abs(decision.confidence - confidence[decision.armIndex]!));
      }
    }
    // The contextual ones integrate one arm's confidence on a grid of its own.
    t.ok(gap < confidenceTolerance, `${gap}`);
    t.end();
  });

  t.test(`${algorithm}: replaying the same chunks gives the same state bit for bit`, (t) => {
    const once = play(createLearner(spec), algorithm, 300);
    const again = play(createLearner(spec), algorithm, 300);
    t.ok(Buffer.from(once.encode()).equals(Buffer.from(again.encode())));
    const copy = decodeLearner(spec, once.encode());
    t.ok(Buffer.from(copy.encode()).equals(Buffer.from(once.encode())));
    t.ok(Buffer.from(copy.encodeServing(arms, 20)).equals(Buffer.from(once.encodeServing(arms, 20))));
    t.equal(copy.nTrials, 300);
    t.strictSame(copy.sums(), once.sums());
    t.end();
  });

  t.test(`${algorithm}: rewards arriving late keep 0 <= s <= n and the count of trials`, (t) => {
    const sums = play(createLearner(spec), algorithm, 400).sums();
    t.equal(
      sums.reduce((total, { n }) => total + n, 0),
      400,
    );
    t.ok(sums.every(({ n, s, s2 }) => s >= 0 && s <= n && s2 === s));
    t.equal(sums[2]?.n ?? 0, 0, 'the arm that is not live was never served');
    t.end();
  });
}

t.test('unknown algorithms and options are refused', (t) => {
  t.throws(
    () => createLearner({ algorithm: 'SOFTMAX' as Algorithm, config: {} }),
    /algorithm must be one of/,
  );
  for (const algorithm of algorithms) {
    t.throws(() => createLearner({ algorithm, config: { lucky: 1 } as never }), /has no option "lucky"/);
    t.throws(
      () => preparePolicy({ algorithm, config: { explorationFloor: 2 } }, undefined, arms),
      RangeError,
    );
    t.throws(() => decodeLearner({ algorithm, config: {} }, new Uint8Array([9, 9, 9])), RangeError);
  }
  t.end();
});
