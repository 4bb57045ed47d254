import type { ExperimentSnapshot } from '@bandit/contracts';
import { algorithms } from '@bandit/contracts';
import { createLearner, type Fact, type PolicySpec, preparePolicy } from '@bandit/core';
import t from 'tap';
import { decideByHash } from '../../src/assign/decide.ts';
import { drawByHash } from '../../src/assign/draw-by-hash.ts';

const key = Buffer.alloc(32, 1);

function experiment(nTreatments: number): ExperimentSnapshot {
  return {
    companyId: 'cmp_1',
    id: 'exp_1',
    partition: 0,
    algorithm: 'THOMPSON_SAMPLING',
    algorithmConfig: {},
    contentType: 'PLAIN_TEXT',
    status: 'active',
    assignmentTtlSeconds: 60,
    endAtMs: undefined,
    treatments: Array.from({ length: nTreatments }, (_, position) => ({
      id: `trt_${position}`,
      position,
      name: 'T',
      config: { content: 'x' },
      weight: 1,
      isLive: true,
      isOriginal: true,
    })),
  };
}

const users = Array.from({ length: 5_000 }, (_, i) => `user ${i}`);

t.test('each treatment wins with its probability, and one of probability zero never', (t) => {
  const pmf = Float64Array.of(0.7, 0.2, 0, 0.1);
  const counts = [0, 0, 0, 0];
  for (const user of users) counts[drawByHash(key, experiment(4), user, pmf)]!++;
  t.equal(counts[2], 0);
  const expected = [0.7, 0.2, 0.1].map((p) => p * users.length);
  const observed = [counts[0]!, counts[1]!, counts[3]!];
  const chiSquare = observed.reduce((sum, n, i) => sum + (n - expected[i]!) ** 2 / expected[i]!, 0);
  // Two degrees of freedom: 13.8 is exceeded with probability .001. Nothing here is random but the key.
  t.ok(chiSquare < 13.8, `chi-square ${chiSquare}`);
  t.end();
});

t.test('the draw depends on key, experiment and user, and on nothing else', (t) => {
  const pmf = Float64Array.of(0.5, 0.5);
  const draw = (k: Uint8Array, exp: ExperimentSnapshot) =>
    users
      .slice(0, 64)
      .map((user) => drawByHash(k, exp, user, pmf))
      .join('');
  t.equal(draw(key, experiment(2)), draw(Buffer.alloc(32, 1), experiment(2)));
  t.not(draw(key, experiment(2)), draw(Buffer.alloc(32, 2), experiment(2)));
  t.not(draw(key, experiment(2)), draw(key, { ...experiment(2), id: 'exp_2' }));
  t.end();
});

t.test('a removed treatment moves its own users only', (t) => {
  const before = Float64Array.of(0.25, 0.25, 0.5);
  const after = Float64Array.of(1 / 3, 0, 2 / 3);
  const movers = users.slice(0, 500).filter((user) => {
    const had = drawByHash(key, experiment(3), user, before);
    return had !== 1 && had !== drawByHash(key, experiment(3), user, after);
  });
  t.same(movers, []);
  t.end();
});

t.test('with every algorithm the decision carries the exact propensity and what the policy logs', (t) => {
  const exp = experiment(3);
  const context = { device: 'mobile', age: 3 };
  for (const algorithm of algorithms) {
    const spec: PolicySpec = { algorithm, config: {} };
    const learner = createLearner(spec);
    const facts: Fact[] = Array.from({ length: 60 }, (_, i) => ({
      kind: 'trial',
      armIndex: i % 3,
      context,
      propensity: 1 / 3,
      predictions: [0.5, 0.5],
    }));
    learner.fold(facts);
    const policy = preparePolicy(spec, learner.encodeServing(exp.treatments, 1), exp.treatments);
    for (const user of users.slice(0, 50)) {
      const pmf = policy.pmf(context);
      const decision = decideByHash(key, exp, user, policy, context);
      const drawn = drawByHash(key, exp, user, pmf);
      t.equal(decision.armIndex, drawn, algorithm);
      t.ok(Math.abs(decision.propensity - pmf[drawn]!) < 1e-12, algorithm);
      const logs = policy.decide(context, 0.5).predictions !== undefined;
      t.equal(decision.predictions !== undefined, logs, algorithm);
    }
  }
  t.end();
});
