import t from 'tap';
import { sumsAsLive } from '../../src/context-free/live-sums.ts';
import { betaThompson } from '../../src/context-free/thompson.ts';
import { createLearner, preparePolicy } from '../../src/create.ts';
import type { AlgorithmConfig } from '../../src/options.ts';
import type { Algorithm, Fact } from '../../src/policy.ts';
import { createRng } from '../../src/rng.ts';
import { type BernoulliGame, drawThompsonArm, playBernoulli } from '../../src/simulation/play-bernoulli.ts';

const seed = 20_266;
const game = (
  algorithm: Algorithm,
  config: AlgorithmConfig,
  means: readonly number[],
  nSteps: number,
): BernoulliGame => ({
  spec: { algorithm, config: { explorationFloor: 0, ...config } },
  means,
  nSteps,
  batch: 1,
  delay: 0,
});

function meanRegret(own: BernoulliGame, nRuns: number): { mean: number; error: number } {
  const regrets = Array.from({ length: nRuns }, (_, run) => playBernoulli(own, createRng(seed + run)).regret);
  const mean = regrets.reduce((sum, regret) => sum + regret, 0) / nRuns;
  const squares = regrets.reduce((sum, regret) => sum + (regret - mean) ** 2, 0);
  return { mean, error: Math.sqrt(squares / (nRuns - 1) / nRuns) };
}

t.test('drawing from posteriors is the law of the quadrature: chi-square of 10^6 draws', (t) => {
  const live = sumsAsLive(
    [
      [30, 4],
      [200, 18],
      [900, 95],
      [60, 3],
    ].map(([n, s]) => ({ n: n!, s: s!, s2: s! })),
  );
  const prior = { alpha: 1, beta: 1 };
  const pmf = betaThompson(live, prior);
  const rng = createRng(seed);
  const counts = new Float64Array(4);
  for (let i = 0; i < 1e6; i++) counts[drawThompsonArm(live, prior, rng)]! += 1;
  const statistic = counts.reduce((sum, count, k) => sum + (count - 1e6 * pmf[k]!) ** 2 / (1e6 * pmf[k]!), 0);
  // 3 degrees of freedom: above 21.1 with probability 1e-4.
  t.ok(statistic < 21.1, `statistic ${statistic}, seed ${seed}`);
  t.end();
});

t.test("regret at T = 10,000 is each algorithm's own, within 3 standard errors", (t) => {
  const easy2 = [0.1, 0.05];
  const hard5 = [0.06, 0.05, 0.05, 0.05, 0.05];
  const easy5 = [0.1, 0.05, 0.05, 0.05, 0.05];
  // Means over >= 100 runs of independent implementations (docs/maths); their error is taken as large as ours.
  const table: [string, Algorithm, AlgorithmConfig, number[], number][] = [
    ['easy 2', 'THOMPSON_SAMPLING', {}, easy2, 11.5],
    ['easy 2', 'UCB1', { variant: 'kl' }, easy2, 17.9],
    ['easy 5', 'THOMPSON_SAMPLING', {}, easy5, 46.8],
    ['easy 5', 'UCB1', {}, easy5, 279.6],
    ['hard 5', 'UCB1', {}, hard5, 76.3],
    ['easy 5', 'EPSILON_GREEDY', { epsilon: 0.1 }, easy5, 76.9],
  ];
  for (const [name, algorithm, config, means, expected] of table) {
    const { mean, error } = meanRegret(game(algorithm, config, means, 10_000), 20);
    const off = (mean - expected) / (error * Math.SQRT2);
    t.ok(
      Math.abs(off) < 3,
      `${name} ${algorithm}: ${mean.toFixed(1)} for ${expected}, ${off.toFixed(1)} s.e., seed ${seed}`,
    );
  }
  t.end();
});

t.test('late rewards and batches cost little, and a bad arm never runs away', (t) => {
  const own = game('THOMPSON_SAMPLING', {}, [0.1, 0.05, 0.05], 6000);
  const late = playBernoulli({ ...own, batch: 100, delay: 1000 }, createRng(seed));
  t.ok(late.share[0]! > 0.5, `${late.share}`);
  // Learning trials with their outcomes spares the pending zeros.
  const spared = playBernoulli({ ...own, delay: 1000, isTrialLate: true }, createRng(seed));
  t.ok(spared.regret < playBernoulli({ ...own, delay: 1000 }, createRng(seed)).regret);
  t.ok(Math.abs(late.share.reduce((sum, share) => sum + share, 0) - 1) < 1e-12);
  t.end();
});

t.test('a bad arm added midway under delay never takes more than its capped share', (t) => {
  for (const algorithm of ['THOMPSON_SAMPLING', 'UCB1', 'EPSILON_GREEDY'] as const) {
    const { largestWhileNew, shareAfter } = playAddedArm(algorithm);
    // Weights 1, 1, 1: a third, and once it has 100 trials it must earn them.
    t.ok(largestWhileNew <= 1 / 3 + 1e-12, `${algorithm}: ${largestWhileNew}`);
    t.ok(shareAfter < (algorithm === 'UCB1' ? 0.35 : 0.1), `${algorithm}: ${shareAfter}`);
  }
  t.end();
});

/** Two arms of 5 %, a third of 1 % added at trial 5,000 of 20,000; versions every 100 trials, rewards 1,000 trials late. */
function playAddedArm(algorithm: Algorithm): { largestWhileNew: number; shareAfter: number } {
  const rng = createRng(seed);
  const spec = { algorithm, config: {} };
  const learner = createLearner(spec);
  const rates = [0.05, 0.05, 0.01];
  const nothing = { context: undefined, propensity: undefined, predictions: undefined };
  const pending: { armIndex: number; trialNumber: number }[] = [];
  let largestWhileNew = 0;
  let nAdded = 0;
  for (let start = 0; start < 20_000; start += 100) {
    const arms = [true, true, start >= 5000].map((isLive, k) => ({ weight: 1, isLive, isOriginal: k < 2 }));
    const policy = preparePolicy(spec, start > 0 ? learner.encodeServing(arms, 100) : undefined, arms);
    if (nAdded < 100) largestWhileNew = Math.max(largestWhileNew, policy.pmf(undefined)[2]!);
    const facts: Fact[] = [];
    while (pending.length > 0 && pending[0]!.trialNumber < start - 1000) {
      const arrived = {
        kind: 'reward',
        ...nothing,
        previous: 0,
        reward: 1,
        isFirst: true,
        trialPosition: undefined,
      } as const;
      facts.push({ ...arrived, ...pending.shift()! });
    }
    for (let trialNumber = start; trialNumber < start + 100; trialNumber++) {
      const { armIndex } = policy.decide(undefined, rng.uniform());
      facts.push({ kind: 'trial', armIndex, ...nothing });
      if (rng.uniform() < rates[armIndex]!) pending.push({ armIndex, trialNumber });
      nAdded += Number(armIndex === 2);
    }
    learner.fold(facts);
  }
  return { largestWhileNew, shareAfter: nAdded / 15_000 };
}

t.test('discount follows a swap of the best arm', (t) => {
  const swapped = { ...game('THOMPSON_SAMPLING', {}, [0.2, 0.05], 12_000), reverseAt: 6000, batch: 10 };
  const spec = { ...swapped.spec, config: { ...swapped.spec.config, discount: 0.998 } };
  const plain = meanRegret(swapped, 10);
  const discounted = meanRegret({ ...swapped, spec }, 10);
  t.ok(discounted.mean < 0.7 * plain.mean, `${discounted.mean} and ${plain.mean}`);
  t.end();
});

t.test('games out of range are refused', (t) => {
  const own = game('UCB1', {}, [0.5], 10);
  for (const bad of [{ means: [] }, { means: [1.5] }, { nSteps: 0 }, { batch: 0.5 }, { delay: -1 }]) {
    t.throws(() => playBernoulli({ ...own, ...bad }, createRng(1)), RangeError);
  }
  t.end();
});
