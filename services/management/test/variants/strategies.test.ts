import { type VariantStrategy, variantStrategies } from '@bandit/contracts';
import { createRng } from '@bandit/core';
import type { StrategyOutcome } from '@bandit/db';
import t from 'tap';
import { chooseStrategy } from '../../src/variants/choose-strategy.ts';
import { describePerformance } from '../../src/variants/describe-performance.ts';
import { judgeStrategies, type StrategyRecord } from '../../src/variants/judge-strategies.ts';

const outcome = (changes: Partial<StrategyOutcome>): StrategyOutcome => ({
  strategy: 'urgency',
  trials: 1_000,
  rewardSum: 100,
  controlTrials: 0,
  controlRewardSum: 0,
  otherTrials: 0,
  otherRewardSum: 0,
  ...changes,
});

t.test('judgeStrategies', async (t) => {
  // .100 is the treatment's own mean throughout.
  const cases: { name: string; given: Partial<StrategyOutcome>; want: StrategyRecord }[] = [
    { name: 'nothing to compare with says nothing', given: {}, want: { successes: 0, failures: 0 } },
    {
      name: 'above the control is a success, whatever the others do',
      given: { controlTrials: 1_000, controlRewardSum: 99, otherTrials: 3_000, otherRewardSum: 900 },
      want: { successes: 1, failures: 0 },
    },
    {
      name: 'level with the control is a failure',
      given: { controlTrials: 1_000, controlRewardSum: 100 },
      want: { successes: 0, failures: 1 },
    },
    {
      name: 'without a known control, above the mean of the others is a success',
      given: { controlTrials: 99, controlRewardSum: 99, otherTrials: 2_000, otherRewardSum: 199 },
      want: { successes: 1, failures: 0 },
    },
    {
      name: 'too few trials of its own say nothing',
      given: { trials: 99, rewardSum: 99, controlTrials: 1_000, controlRewardSum: 1 },
      want: { successes: 0, failures: 0 },
    },
    {
      name: 'a strategy that is not known is left out',
      given: { strategy: 'shouting', controlTrials: 1_000, controlRewardSum: 1 },
      want: { successes: 0, failures: 0 },
    },
  ];
  for (const { name, given, want } of cases) {
    t.same(judgeStrategies([outcome(given)]).urgency, want, name);
  }
  const two = [
    { controlTrials: 500, controlRewardSum: 1 },
    { controlTrials: 500, controlRewardSum: 499 },
  ];
  t.same(judgeStrategies(two.map(outcome)).urgency, { successes: 1, failures: 1 }, 'outcomes add up');
});

t.test('chooseStrategy', async (t) => {
  const none = { successes: 0, failures: 0 };
  const records = (changes: Partial<Record<VariantStrategy, StrategyRecord>>) =>
    ({ ...Object.fromEntries(variantStrategies.map((name) => [name, none])), ...changes }) as Record<
      VariantStrategy,
      StrategyRecord
    >;
  const shares = (given: Record<VariantStrategy, StrategyRecord>, seed: number, nDraws: number) => {
    const rng = createRng(seed);
    const counts = new Map<string, number>();
    for (let i = 0; i < nDraws; i++) {
      const strategy = chooseStrategy(given, rng);
      counts.set(strategy, (counts.get(strategy) ?? 0) + 1 / nDraws);
    }
    return counts;
  };
  t.comment('seed 7, 8,000 draws: standard error of a share of 1/8 is .0037');

  const even = shares(records({}), 7, 8_000);
  for (const strategy of variantStrategies) {
    t.ok(
      Math.abs((even.get(strategy) ?? 0) - 1 / 8) < 4 * 0.0037,
      `${strategy} is drawn as often as any: ${even.get(strategy)}`,
    );
  }

  // P(Beta(21, 1) > max of 7 uniforms) = E[x^7] = 21 / 28 = .75; standard error .0048.
  const proven = shares(records({ curiosity: { successes: 20, failures: 0 } }), 7, 8_000);
  t.ok(
    Math.abs((proven.get('curiosity') ?? 0) - 0.75) < 4 * 0.0048,
    `what has worked: ${proven.get('curiosity')}`,
  );
  t.equal(proven.size, 8, 'and the others are still tried');

  // P(Beta(1, 21) > max of 7 uniforms) = B(8, 21) / B(1, 21) = 7! 21! / 28! = 8.4e-7.
  const failed = shares(records({ curiosity: { successes: 0, failures: 20 } }), 7, 8_000);
  t.equal(failed.get('curiosity') ?? 0, 0, 'what has failed is left');
});

t.test('describePerformance', async (t) => {
  const sums = (trials: number, rewardSum: number, rewardSqSum = rewardSum) => ({
    treatmentId: 't',
    trials,
    rewardSum,
    rewardSqSum,
  });

  // Beta(2, 1) against Beta(1, 2): P = E[F(x)] = integral of 2x (2x - x^2) = 4/3 - 1/2 = 5/6.
  const [first, second] = describePerformance([sums(1, 1), sums(1, 0)], 'binary');
  t.equal(first?.bestProbability.toFixed(9), (5 / 6).toFixed(9));
  t.match(second, { trials: 1, meanReward: 0 });

  const [untried, tried] = describePerformance([undefined, sums(4, 1)], 'binary');
  t.same([untried?.trials, untried?.meanReward], [0, undefined], 'no trials, no mean');
  t.equal(tried?.meanReward, 0.25);

  for (const reward of ['binary', 'numeric'] as const) {
    const unknown = describePerformance([undefined, undefined], reward);
    t.same(
      unknown.map(({ bestProbability }) => Number(bestProbability.toFixed(9))),
      [0.5, 0.5],
      `${reward}: nothing known`,
    );
  }
  // 50 rewards of 10 and of 12 around their means with squares of 101 and 145: the second leads by 2 with s.e. about .2.
  const numeric = describePerformance([sums(50, 500, 5_050), sums(50, 600, 7_250)], 'numeric');
  t.ok(numeric[1]!.bestProbability > 0.999, `${numeric[1]!.bestProbability}`);
  const same = describePerformance([sums(3, 21, 147), sums(2, 14, 98)], 'numeric');
  t.same(
    same.map(({ bestProbability }) => bestProbability),
    [0.5, 0.5],
    'constant rewards tell nothing',
  );
});
