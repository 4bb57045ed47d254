import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { type LiveSums, sumsAsLive } from '../../src/context-free/live-sums.ts';
import { numericPosteriors } from '../../src/context-free/thompson.ts';
import { ucbPmf } from '../../src/context-free/ucb.ts';
import { klUpper, ucbIndexFor } from '../../src/context-free/ucb-index.ts';
import { createLearner, preparePolicy } from '../../src/create.ts';
import type { AlgorithmConfig, PolicySpec } from '../../src/options.ts';
import type { Arm, Fact } from '../../src/policy.ts';
import { resolveOptions } from '../../src/resolve-options.ts';
import { createRng } from '../../src/rng.ts';

const golden = JSON.parse(readFileSync(new URL('../vectors/golden.json', import.meta.url), 'utf8'));
const seed = 20_264;
const options = (config: AlgorithmConfig) => resolveOptions({ algorithm: 'UCB1', config });
const binarySums = (pairs: readonly (readonly [n: number, s: number])[]) =>
  sumsAsLive(pairs.map(([n, s]) => ({ n, s, s2: s })));
const round = (values: Iterable<number>) => [...values].map((value) => Number(value.toFixed(12)));

/** A learner's facts that give these trials and successes. */
function factsFor(pairs: readonly (readonly [n: number, s: number])[]): Fact[] {
  const nothing = { context: undefined, propensity: undefined, predictions: undefined };
  return pairs.flatMap(([n, s], armIndex) => [
    ...Array.from({ length: n }, (): Fact => ({ kind: 'trial', armIndex, ...nothing })),
    ...Array.from(
      { length: s },
      (): Fact => ({
        kind: 'reward',
        armIndex,
        ...nothing,
        previous: 0,
        reward: 1,
        isFirst: true,
        trialPosition: undefined,
        trialNumber: undefined,
      }),
    ),
  ]);
}

function pmfFor(
  spec: PolicySpec,
  pairs: readonly (readonly [number, number])[],
  arms: Arm[],
  nSince = 1,
): number[] {
  const learner = createLearner(spec);
  learner.fold(factsFor(pairs));
  return round(preparePolicy(spec, learner.encodeServing(arms, nSince), arms).pmf(undefined));
}

const arm = (weight = 1): Arm => ({ weight, isLive: true, isOriginal: true });

t.test('golden UCB1 and KL-UCB indices', (t) => {
  for (const { mean, n, t: trials, index, ucb1, tol } of golden.klucb) {
    t.ok(Math.abs(klUpper(mean, Math.log(trials) / n) - index) < tol);
    const live = binarySums([[n, 0]]);
    t.ok(Math.abs(ucbIndexFor(live, options({}))(n, mean, 0, Math.log(trials)) - ucb1) < tol);
  }
  t.end();
});

t.test('the KL index solves its equation, at edges too', (t) => {
  t.equal(klUpper(1, 3), 1);
  t.equal(klUpper(0.4, 0), 0.4);
  // -ln(1 - q) = L
  t.equal(klUpper(0, Math.log(2)), 0.5);
  fc.assert(
    fc.property(
      fc.double({ min: 1e-9, max: 1 - 1e-9, noNaN: true }),
      fc.double({ min: 1e-9, max: 20, noNaN: true }),
      (p, level) => {
        const q = klUpper(p, level);
        const divergence = p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q));
        // Close to 1, one step of q moves the divergence by more than the tolerance.
        return (
          q >= p && q <= 1 && (1 - q < 1e-12 || Math.abs(divergence - level) < 1e-5 * Math.max(level, 1e-3))
        );
      },
    ),
    { seed, numRuns: 1000 },
  );
  t.end();
});

t.test('the tuned index by hand', (t) => {
  // n = 50, mean .2, v = .16, ln t = 5: sqrt(2 * 5 / 50) = .447214; min(.25, .607214) = .25; .2 + sqrt(.1 * .25) = .358114
  const index = ucbIndexFor(binarySums([[50, 10]]), options({ variant: 'tuned' }));
  t.ok(Math.abs(index(50, 0.2, 0.16, 5) - (0.2 + Math.sqrt(0.025))) < 1e-12);
  // n = 5000: .16 + .0447 = .2047 < .25: .2 + sqrt(.001 * .204721) = .214308
  t.ok(Math.abs(index(5000, 0.2, 0.16, 5) - 0.214308) < 1e-6);
  t.end();
});

t.test(
  'one virtual pull is the textbook: the highest index takes all, ties and untried arms share by weight',
  (t) => {
    t.strictSame(
      [
        ...ucbPmf(
          binarySums([
            [10, 1],
            [10, 5],
          ]),
          1,
          options({}),
        ),
      ],
      [0, 1],
    );
    t.strictSame(
      [
        ...ucbPmf(
          binarySums([
            [10, 5],
            [10, 5],
          ]),
          1,
          options({}),
        ),
      ],
      [0.5, 0.5],
    );
    t.strictSame(
      [
        ...ucbPmf(
          binarySums([
            [10, 9],
            [0, 0],
            [0, 0],
          ]),
          1,
          options({}),
        ),
      ],
      [0, 0.5, 0.5],
    );
    const spec: PolicySpec = { algorithm: 'UCB1', config: { explorationFloor: 0 } };
    t.strictSame(pmfFor(spec, [[10, 9]], [arm(), arm(1), arm(3)]), [0, 0.25, 0.75]);
    t.end();
  },
);

t.test('virtual pulls by hand', (t) => {
  // A: 1 trial of 0, B: 1 trial of 1; t = 2. Indices m + sqrt(2 ln t / n):
  // t = 2: A sqrt(1.386) = 1.177, B 2.177 -> B (n = 2). t = 3: A 1.482, B 1 + sqrt(1.0986) = 2.048 -> B (n = 3).
  // t = 4: A 1.665, B 1 + sqrt(.924) = 1.961 -> B (n = 4). t = 5: A 1.794, B 1 + sqrt(.805) = 1.897 -> B (n = 5).
  // t = 6: A 1.893, B 1 + sqrt(.717) = 1.847 -> A.
  t.strictSame(
    round(
      ucbPmf(
        binarySums([
          [1, 0],
          [1, 1],
        ]),
        5,
        options({}),
      ),
    ),
    [0.2, 0.8],
  );
  t.end();
});

/** Slow oracle: every index recomputed for every pull. */
function slowPulls(live: LiveSums, nPulls: number, config: AlgorithmConfig): number[] {
  const index = ucbIndexFor(live, options(config));
  const n = [...live.n];
  const pulls = n.map(() => 0);
  for (let pull = 0; pull < nPulls; pull++) {
    const lnT = Math.log(n.reduce((sum, own) => sum + own, 0));
    const indices = n.map((own, k) => index(own, live.mean[k]!, live.variance[k]!, lnT));
    const best = Math.max(...indices);
    const ties = indices.filter((own) => own === best).length;
    indices.forEach((own, k) => {
      if (own !== best) return;
      n[k]! += 1 / ties;
      pulls[k]! += 1 / ties;
    });
  }
  return pulls.map((count) => count / nPulls);
}

t.test('skipping arms that cannot win changes no pull', (t) => {
  const rng = createRng(seed);
  for (const variant of ['ucb1', 'tuned', 'kl'] as const) {
    for (const [nArms, nPulls] of [
      [2, 500],
      [7, 300],
      [30, 1000],
    ] as const) {
      const live = binarySums(
        Array.from({ length: nArms }, () => {
          // Large enough that no two arms tie: a tie that only rounding breaks may be broken either way.
          const n = 100 + Math.floor(10 ** (4 * rng.uniform()));
          return [n, Math.floor(n * (0.03 + 0.1 * rng.uniform()))] as const;
        }),
      );
      const fast = ucbPmf(live, nPulls, options({ variant }));
      t.strictSame(round(fast), round(slowPulls(live, nPulls, { variant })), `${variant}, K = ${nArms}`);
    }
  }
  t.end();
});

t.test('a large batch spreads over arms that one pull would never reach', (t) => {
  const live = binarySums([
    [1000, 50],
    [1000, 49],
    [1000, 20],
  ]);
  const spread = ucbPmf(live, 10_000, options({ variant: 'kl' }));
  t.ok(spread[0]! < 0.8 && spread[1]! > 0.15 && spread[2]! < 0.1, `${spread}`);
  t.end();
});

t.test('epsilon-greedy explores by weight with max(epsilon, floor), not both', (t) => {
  const arms = [arm(1), arm(3)];
  const pairs = [
    [10, 5],
    [10, 1],
  ] as const;
  const table: [AlgorithmConfig, number[]][] = [
    // epsilon .1 above the floor .02: .1 * 1/4 + .9 and .1 * 3/4
    [{}, [0.925, 0.075]],
    [{ epsilon: 0 }, [0.985, 0.015]],
    [{ epsilon: 0, explorationFloor: 0 }, [1, 0]],
    [{ epsilon: 0.05, explorationFloor: 0.4 }, [0.7, 0.3]],
    // decay: c K / t = 2 * 2 / 20 = .2
    [{ decay: 2, explorationFloor: 0 }, [0.85, 0.15]],
    [{ decay: 100, explorationFloor: 0 }, [0.25, 0.75]],
  ];
  for (const [config, expected] of table)
    t.strictSame(pmfFor({ algorithm: 'EPSILON_GREEDY', config }, pairs, arms), expected);
  // Equal means tie and share by weight.
  t.strictSame(
    pmfFor(
      { algorithm: 'EPSILON_GREEDY', config: {} },
      [
        [10, 5],
        [20, 10],
      ],
      arms,
    ),
    [0.25, 0.75],
  );
  t.end();
});

t.test('Thompson follows its prior', (t) => {
  const spec: PolicySpec = {
    algorithm: 'THOMPSON_SAMPLING',
    config: { prior: { alpha: 2, beta: 1 }, explorationFloor: 0 },
  };
  // Beta(2, 2) (one failure) against Beta(2, 1): P(second) = integral 2 x (3 x^2 - 2 x^3) = 3/2 - 4/5 = .7
  t.strictSame(pmfFor(spec, [[1, 0]], [arm(), arm()]), [0.3, 0.7]);
  t.end();
});

t.test('numeric posteriors by hand', (t) => {
  // Rewards 0, 2 and 4, 6: means 1 and 5, variances 1; pooled mean 3, pooled variance 1 + 4 = 5. n = 2: kappa 3, a 2,
  // location -2 * 2/3, b = 5 + 2 * 1/2 + 2 * 4 / (2 * 3) = 22/3, scale^2 = 22/3 / (2 * 3) = 11/9.
  const live = sumsAsLive([
    { n: 2, s: 2, s2: 4 },
    { n: 2, s: 10, s2: 52 },
    { n: 0, s: 0, s2: 0 },
  ]);
  const [first, second, untried] = numericPosteriors(live);
  t.strictSame(round([first!.location, first!.scale, first!.degrees]), round([-4 / 3, Math.sqrt(11 / 9), 4]));
  t.strictSame(round([second!.location, second!.scale]), round([4 / 3, Math.sqrt(11 / 9)]));
  // Untried: the prior, t with 2 degrees around the pooled mean, scale sqrt 5.
  t.strictSame(round([untried!.location, untried!.scale, untried!.degrees]), round([0, Math.sqrt(5), 2]));
  t.end();
});

t.test('a new arm is held to its share until it has 100 trials, an original one is not', (t) => {
  const spec: PolicySpec = { algorithm: 'THOMPSON_SAMPLING', config: {} };
  const pairs = [
    [2000, 100],
    [2000, 110],
  ] as const;
  const added: Arm = { weight: 1, isLive: true, isOriginal: false };
  const share = (third: Arm, trials: readonly (readonly [number, number])[] = pairs) =>
    pmfFor(spec, trials, [arm(), arm(), third])[2]!;
  t.ok(share(added) <= 1 / 3);
  t.ok(share({ weight: 1, isLive: true }) <= 1 / 3, 'found out from the trial count');
  t.ok(share(arm()) > 0.9, 'Beta(1, 1) against arms of 5 %');
  t.ok(share(added, [...pairs, [99, 40]]) <= 1 / 3);
  t.ok(share(added, [...pairs, [100, 40]]) > 0.9);
  t.end();
});

t.test('permuting arms permutes the PMF; every live arm keeps its floor', (t) => {
  const specs: PolicySpec[] = [
    { algorithm: 'EPSILON_GREEDY', config: {} },
    { algorithm: 'UCB1', config: {} },
    { algorithm: 'UCB1', config: { variant: 'kl' } },
    { algorithm: 'THOMPSON_SAMPLING', config: {} },
  ];
  const row = fc.tuple(fc.nat(40), fc.nat(40), fc.integer({ min: 1, max: 5 }));
  fc.assert(
    fc.property(fc.array(row, { minLength: 2, maxLength: 6 }), fc.constantFrom(...specs), (rows, spec) => {
      const pmfOf = (some: typeof rows) =>
        pmfFor(
          spec,
          some.map(([n, s]) => [n, Math.min(n, s)] as const),
          some.map(([, , weight]) => arm(weight)),
          10,
        );
      const pmf = pmfOf(rows);
      const turned = pmfOf([...rows.slice(1), rows[0]!]);
      const weights = rows.reduce((sum, [, , weight]) => sum + weight, 0);
      return pmf.every(
        (p, k) =>
          Math.abs(p - turned[(k + rows.length - 1) % rows.length]!) < 1e-9 &&
          p >= (0.01 * rows.length * rows[k]![2]) / weights - 1e-11,
      );
    }),
    { seed, numRuns: 200 },
  );
  t.end();
});

t.test('removed arms get nothing and their trials do not count', (t) => {
  const spec: PolicySpec = { algorithm: 'UCB1', config: { explorationFloor: 0 } };
  const removed: Arm = { weight: 1, isLive: false };
  const pmf = pmfFor(
    spec,
    [
      [10, 9],
      [10, 2],
      [12, 3],
    ],
    [removed, arm(), arm()],
    20,
  );
  t.equal(pmf[0], 0);
  t.strictSame(
    pmf.slice(1),
    pmfFor(
      spec,
      [
        [10, 2],
        [12, 3],
      ],
      [arm(), arm()],
      20,
    ),
  );
  t.end();
});

t.test('options out of range are refused by name, value and what is allowed', (t) => {
  const table: [PolicySpec, RegExp][] = [
    [{ algorithm: 'EPSILON_GREEDY', config: { epsilon: 1.5 } }, /epsilon must be between 0 and 1, got 1.5/],
    [{ algorithm: 'EPSILON_GREEDY', config: { decay: 0 } }, /decay must be above 0/],
    [{ algorithm: 'EPSILON_GREEDY', config: { decay: 2e9 } }, /decay must be above 0 and at most 1000000000/],
    [
      { algorithm: 'UCB1', config: { variant: 'UCB2' as 'kl' } },
      /variant must be one of ucb1, tuned, kl, got "UCB2"/,
    ],
    [
      { algorithm: 'UCB1', config: { epsilon: 0.1 } as AlgorithmConfig },
      /UCB1 has no option "epsilon"; it has reward/,
    ],
    [{ algorithm: 'THOMPSON_SAMPLING', config: { prior: { alpha: 0, beta: 1 } } }, /alpha must be above 0/],
    [
      { algorithm: 'THOMPSON_SAMPLING', config: { prior: { alpha: 1 } as never } },
      /prior must be \{alpha, beta\}/,
    ],
    [
      { algorithm: 'THOMPSON_SAMPLING', config: { discount: 0.5 } },
      /discount must be between 0.9 and 1, got 0.5/,
    ],
    [
      { algorithm: 'THOMPSON_SAMPLING', config: { explorationFloor: Number.NaN } },
      /explorationFloor .* got NaN/,
    ],
    [{ algorithm: 'LINEAR_CONTEXTUAL', config: { valueRange: [1, 1] } }, /valueRange must be \[low, high\]/],
    [{ algorithm: 'LINEAR_CONTEXTUAL', config: { gammaScale: -1 } }, /gammaScale must be above 0/],
    [{ algorithm: 'BEST' as 'UCB1', config: {} }, /algorithm must be one of EPSILON_GREEDY, .* got "BEST"/],
  ];
  for (const [spec, message] of table) t.throws(() => resolveOptions(spec), { name: 'RangeError', message });
  t.end();
});
