import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { drawNormal } from '../../src/draws.ts';
import {
  asymptoticInterval,
  betOnTrial,
  boundedInterval,
  checkDailyWinner,
  checkRandomisedWinner,
  checkSampleRatio,
  checkWinner,
  classifyMaturity,
  createRng,
  directMethod,
  doublyRobust,
  estimateArmValues,
  estimatePolicyValue,
  isAsymptotic,
  judgeArms,
  type LoggedTrial,
  laiRobbinsConstant,
  logDailyEvidence,
  logWinnerEvidence,
  numericInterval,
  rateInterval,
  startBetting,
} from '../../src/index.ts';
import { lnBeta } from '../../src/special/ln-gamma.ts';

const vector = (name: string) => readFileSync(new URL(`../vectors/${name}`, import.meta.url));
const golden = JSON.parse(vector('golden.json').toString());
const seed = 20_265;
const isNear = (value: number | undefined, expected: number, tolerance: number) =>
  value !== undefined && Math.abs(value - expected) <= tolerance;

t.test('golden confidence sequences', (t) => {
  for (const { n, successes, alpha, lower, upper, tol } of golden.cs) {
    const interval = rateInterval({ n, s: successes }, alpha);
    t.ok(isNear(interval.lower, lower, tol) && isNear(interval.upper, upper, tol), `${successes} of ${n}`);
  }
  t.end();
});

t.test('a rate interval: everything, nothing, and its ends solve the formula', (t) => {
  t.strictSame(rateInterval({ n: 0, s: 0 }, 0.05), { lower: 0, upper: 1 });
  t.equal(rateInterval({ n: 9, s: 0 }, 0.05).lower, 0);
  t.equal(rateInterval({ n: 9, s: 9 }, 0.05).upper, 1);
  // One success of one trial: ln B(1.5, .5) - ln B(.5, .5) = ln(1/2); the set is ln(1/2) - ln p < ln 20: p > 1/40.
  t.ok(isNear(rateInterval({ n: 1, s: 1 }, 0.05).lower, 1 / 40, 1e-14));
  fc.assert(
    fc.property(fc.nat(10_000), fc.nat(10_000), (successes, failures) => {
      const n = successes + failures;
      const { lower, upper } = rateInterval({ n, s: successes }, 0.01);
      const value = (p: number) =>
        lnBeta(0.5 + successes, 0.5 + failures) -
        lnBeta(0.5, 0.5) -
        (successes && successes * Math.log(p)) -
        (failures && failures * Math.log1p(-p));
      const isEnd = (p: number, edge: number) => p === edge || Math.abs(value(p) - Math.log(100)) < 1e-6;
      return isEnd(lower, 0) && isEnd(upper, 1) && lower <= upper;
    }),
    { seed, numRuns: 300 },
  );
  for (const bad of [
    { n: 1, s: 2 },
    { n: -1, s: 0 },
    { n: Number.NaN, s: 0 },
  ])
    t.throws(() => rateInterval(bad, 0.05), RangeError);
  for (const alpha of [0, 1, Number.NaN])
    t.throws(() => rateInterval({ n: 1, s: 1 }, alpha), /alpha must be between 0 and 1/);
  t.end();
});

t.test('huge counts keep their digits: width shrinks as the square root', (t) => {
  const narrow = rateInterval({ n: 4e12, s: 2e12 }, 0.05);
  // half-width^2 = 2 p q (ln 20 + ln(n)/2 + ...)/n: within a few per cent of sqrt(.5 * 17.6 / 4e12) = 1.48e-6
  t.ok(narrow.upper - 0.5 > 1.4e-6 && narrow.upper - 0.5 < 1.6e-6, `${narrow.upper - 0.5}`);
  t.ok(Math.abs(narrow.upper + narrow.lower - 1) < 1e-12);
  t.end();
});

t.test('golden winner evidence', (t) => {
  for (const { leader, other, logE, tol } of golden.eprocess) {
    const e = logWinnerEvidence({ n: leader[0], s: leader[1] }, { n: other[0], s: other[1] });
    t.ok(isNear(e, logE, tol), `${e} for ${logE}`);
  }
  t.equal(logWinnerEvidence({ n: 10, s: 2 }, { n: 10, s: 2 }), -Infinity);
  t.equal(logWinnerEvidence({ n: 10, s: 2 }, { n: 0, s: 0 }), -Infinity);
  t.end();
});

t.test('a winner must beat every rival at (K - 1) / alpha, K counted over all ever served', (t) => {
  const counts = [
    { n: 5000, s: 400 },
    { n: 5000, s: 250 },
    { n: 5000, s: 240 },
  ];
  const check = checkWinner(counts, 0.05);
  t.equal(check.leader, 0);
  t.ok(isNear(check.threshold, Math.log(2 / 0.05), 1e-12));
  t.equal(
    check.logE,
    Math.min(logWinnerEvidence(counts[0]!, counts[1]!), logWinnerEvidence(counts[0]!, counts[2]!)),
  );
  t.equal(check.isDeclared, true);
  t.ok(isNear(checkWinner(counts, 0.05, 9).threshold, Math.log(8 / 0.05), 1e-12));
  t.equal(checkWinner([{ n: 5000, s: 260 }, ...counts.slice(1)], 0.05).isDeclared, false);
  for (const few of [
    [],
    [{ n: 10, s: 9 }],
    [
      { n: 0, s: 0 },
      { n: 0, s: 0 },
    ],
  ])
    t.equal(checkWinner(few, 0.05).isDeclared, false);
  t.end();
});

t.test('daily evidence: one day is the plain one, days multiply, swings of the base rate cancel', (t) => {
  const leader = { n: 1000, s: 120 };
  const other = { n: 1000, s: 60 };
  t.ok(isNear(logDailyEvidence([{ leader, other }]), logWinnerEvidence(leader, other), 1e-9));
  t.ok(
    isNear(
      logDailyEvidence([
        { leader, other },
        { leader, other },
      ]),
      2 * logWinnerEvidence(leader, other),
      1e-9,
    ),
  );
  // A day with one arm only says nothing.
  t.ok(
    isNear(
      logDailyEvidence([
        { leader, other },
        { leader, other: { n: 0, s: 0 } },
      ]),
      logWinnerEvidence(leader, other),
      1e-9,
    ),
  );
  // Simpson: equal arms each day (20 % and 2 %), arm 0 served mostly on the good day.
  const days = [
    [
      { n: 9000, s: 1800 },
      { n: 1000, s: 200 },
    ],
    [
      { n: 1000, s: 20 },
      { n: 9000, s: 180 },
    ],
  ];
  t.equal(
    checkWinner(
      [
        { n: 10_000, s: 1820 },
        { n: 10_000, s: 380 },
      ],
      0.05,
    ).isDeclared,
    true,
    'sums lie',
  );
  t.equal(checkDailyWinner(days, 0.05).isDeclared, false);
  // However strongly the leader is behind on a day, that day is no evidence for it: its factor stays below 1.
  const lost = { leader: { n: 1000, s: 50 }, other: { n: 1000, s: 100 } };
  const won = { leader: { n: 1000, s: 300 }, other: { n: 1000, s: 100 } };
  t.ok(logDailyEvidence([won, lost]) < logDailyEvidence([won]));
  // A day on which the leader is behind costs evidence and does not end it.
  const mixed = logDailyEvidence([
    { leader, other },
    { leader: { n: 100, s: 5 }, other: { n: 100, s: 6 } },
    { leader, other },
  ]);
  t.ok(mixed > 0 && mixed < 2 * logWinnerEvidence(leader, other));
  const better = [...Array(5)].map(() => [leader, other]);
  t.match(checkDailyWinner(better, 0.05), { leader: 0, isDeclared: true });
  t.end();
});

t.test('the asymptotic interval by hand, and the whole line below two trials', (t) => {
  // n = 100, mean 2, variance 4, r = .1: n r^2 + 1 = 2; 2 * 2 / (10^4 * .01) = .04; ln(sqrt 2 / .05) = 3.342306;
  // half = 2 sqrt(.1336922) = .731279
  const { lower, upper } = asymptoticInterval({ n: 100, s: 200, s2: 800 }, 0.05, 0.1);
  t.ok(isNear(upper, 2 + 0.731279, 1e-6) && isNear(lower, 2 - 0.731279, 1e-6));
  t.strictSame(asymptoticInterval({ n: 1, s: 1, s2: 1 }, 0.05), { lower: -Infinity, upper: Infinity });
  // Ten zeros say nothing about the values to come, nor do 100 rewards of .1, whose s2/n - mean^2 is rounding.
  for (const equal of [
    { n: 10, s: 0, s2: 0 },
    { n: 100, s: 9.99999999999998, s2: 1.0000000000000007 },
  ])
    t.strictSame(asymptoticInterval(equal, 0.05), { lower: -Infinity, upper: Infinity });
  t.equal(isAsymptotic({ n: 1000, nRewarded: 30 }), true);
  t.equal(isAsymptotic({ n: 999, nRewarded: 999 }), false);
  t.equal(isAsymptotic({ n: 1e6, nRewarded: 29 }), false);
  t.equal(numericInterval({ n: 100, s: 200, s2: 800 }, 0.05).kind, 'asymptotic');
  t.equal(numericInterval({ n: 100, s: 200, s2: 800 }, 0.05, [0, 10]).kind, 'exact');
  t.end();
});

t.test('the bounded interval holds the mean, shrinks, and follows its range', (t) => {
  t.strictSame(boundedInterval({ n: 0, s: 0, s2: 0 }, 0.05, [-3, 5]), { lower: -3, upper: 5 });
  const narrow = boundedInterval({ n: 1e6, s: 1e5, s2: 2e4 }, 0.05, [0, 1]);
  t.ok(narrow.lower < 0.1 && narrow.upper > 0.1 && narrow.upper - narrow.lower < 0.002);
  const wide = boundedInterval({ n: 1e4, s: 1e3, s2: 200 }, 0.05, [0, 1]);
  t.ok(wide.upper - wide.lower > 3 * (narrow.upper - narrow.lower));
  // x -> 10 x - 4: the interval moves with the values.
  const moved = boundedInterval({ n: 1e4, s: 1e4 - 4e4, s2: 100 * 200 - 80 * 1e3 + 16e4 }, 0.05, [-4, 6]);
  t.ok(isNear(moved.lower, 10 * wide.lower - 4, 1e-6) && isNear(moved.upper, 10 * wide.upper - 4, 1e-6));
  t.throws(
    () => boundedInterval({ n: 10, s: 30, s2: 90 }, 0.05, [0, 1]),
    /valueRange must hold every reward/,
  );
  t.throws(() => boundedInterval({ n: 10, s: Number.NaN, s2: 90 }, 0.05, [0, 1]), /sums must be finite/);
  t.end();
});

t.test('the ends of the bounded interval solve their formula: the mixture is 2 / alpha', (t) => {
  const [n, s, s2, alpha] = [400, 100, 40, 0.1];
  const mixture = (mu: number, sum: number, squares: number) => {
    const guesses = [
      ...Array.from({ length: 33 }, (_, i) => i / 32),
      ...Array.from({ length: 37 }, (_, i) => 1 / (1 + Math.exp(9 - i / 2))),
    ];
    let total = 0;
    for (let i = 0; i < 20; i++) {
      const slope = 0.9 / 2 ** i;
      const psi = -Math.log(1 - slope) - slope;
      for (const c of guesses)
        total += Math.exp(slope * (sum - n * mu) - psi * (squares - 2 * c * sum + n * c * c));
    }
    return total / 20 / guesses.length;
  };
  const { lower, upper } = boundedInterval({ n, s, s2 }, alpha, [0, 1]);
  t.ok(isNear(mixture(lower, s, s2), 2 / alpha, 1e-6), `${mixture(lower, s, s2)}`);
  // The upper end is the lower one of 1 - x: sum n - s, squares n - 2 s + s2.
  t.ok(isNear(mixture(1 - upper, n - s, n - 2 * s + s2), 2 / alpha, 1e-6));
  t.end();
});

t.test('numeric intervals hold the mean at all looks in at least 1 - alpha of runs', (t) => {
  const nRuns = 100;
  const misses = { exact: 0, asymptotic: 0 };
  for (let run = 0; run < nRuns; run++) {
    const rng = createRng(seed + run);
    let [s, s2] = [0, 0];
    const missed = { exact: false, asymptotic: false };
    for (let n = 1; n <= 3000; n++) {
      // Half zeros, half |normal| clipped at 3: mean .5 * E min(|Z|, 3) = .398649
      const x = rng.uniform() < 0.5 ? 0 : Math.min(3, Math.abs(drawNormal(rng)));
      s += x;
      s2 += x * x;
      if (n % 100 !== 0) continue;
      const mean = 0.398649;
      const [exact, loose] = [
        boundedInterval({ n, s, s2 }, 0.1, [0, 3]),
        asymptoticInterval({ n, s, s2 }, 0.1),
      ];
      if (exact.lower > mean || exact.upper < mean) missed.exact = true;
      if (loose.lower > mean || loose.upper < mean) missed.asymptotic = true;
    }
    misses.exact += Number(missed.exact);
    misses.asymptotic += Number(missed.asymptotic);
  }
  t.ok(misses.exact <= 0.1 * nRuns, `${misses.exact} of ${nRuns}, seed ${seed}`);
  t.ok(misses.asymptotic <= 0.1 * nRuns, `${misses.asymptotic} of ${nRuns}`);
  t.end();
});

t.test('P(best) and expected loss by hand', (t) => {
  // No data, two arms: max of two uniforms 2/3, loss 2/3 - 1/2 = 1/6 each.
  for (const own of judgeArms(
    [
      { n: 0, s: 0, s2: 0 },
      { n: 0, s: 0, s2: 0 },
    ],
    'binary',
  )) {
    t.ok(isNear(own.probabilityBest, 0.5, 1e-12) && isNear(own.expectedLoss, 1 / 6, 1e-12));
  }
  const [worse, better] = judgeArms(
    [
      { n: 1000, s: 50, s2: 50 },
      { n: 1000, s: 90, s2: 90 },
    ],
    'binary',
  );
  // Means 51/1002 and 91/1002; the loss of the worse one exceeds that gap by the better one's own loss.
  t.ok(isNear(worse!.expectedLoss - better!.expectedLoss, 40 / 1002, 1e-12));
  t.ok(better!.expectedLoss < 1e-4 && better!.probabilityBest > 0.999);
  const numeric = judgeArms(
    [
      { n: 50, s: 100, s2: 250 },
      { n: 50, s: 150, s2: 500 },
    ],
    'numeric',
  );
  t.ok(numeric[1]!.probabilityBest > 0.9 && numeric[0]!.expectedLoss > numeric[1]!.expectedLoss);
  // .1 a hundred times, added up in two orders: the sums differ in their last digits, the rewards do not.
  const rounded = judgeArms(
    [
      { n: 100, s: 9.99999999999998, s2: 1.0000000000000007 },
      { n: 100, s: 10, s2: 1.0000000000000002 },
    ],
    'numeric',
  );
  t.ok(rounded[0]!.probabilityBest > 0.01, `${rounded[0]!.probabilityBest}`);
  // No spread: nothing is known.
  t.strictSame(
    judgeArms(
      [
        { n: 3, s: 0, s2: 0 },
        { n: 0, s: 0, s2: 0 },
      ],
      'numeric',
    ),
    [
      { probabilityBest: 0.5, expectedLoss: 0 },
      { probabilityBest: 0.5, expectedLoss: 0 },
    ],
  );
  t.throws(() => judgeArms([{ n: 1, s: 2, s2: 2 }], 'binary'), /treatment 0/);
  t.end();
});

t.test('golden off-policy estimators', (t) => {
  for (const {
    action,
    propensity,
    reward,
    target,
    qhat,
    ips,
    snips,
    dm,
    dr,
    ips_se,
    ess,
    tol,
  } of golden.ope) {
    const trials: LoggedTrial[] = action.map((armIndex: number, i: number) => ({
      armIndex,
      propensity: propensity[i],
      reward: reward[i],
      target: target[i],
      predicted: qhat[i],
    }));
    const value = estimatePolicyValue(trials);
    t.ok(isNear(value.ips, ips, tol));
    t.ok(isNear(value.snips, snips, tol));
    t.ok(isNear(value.ipsError, ips_se, tol));
    t.ok(isNear(value.effectiveSize, ess, 1e-7));
    t.ok(isNear(directMethod(trials), dm, tol));
    t.ok(isNear(doublyRobust(trials), dr, tol));
  }
  t.end();
});

t.test('Open Bandit Dataset: value of its Thompson policy from 10,000 uniformly random rows', (t) => {
  const policy = vector('obd-women-bts-policy.csv')
    .toString()
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(',').slice(1).map(Number));
  const rows = gunzipSync(vector('obd-women-random.csv.gz')).toString().trim().split('\n').slice(1);
  const trials = rows.map((line): LoggedTrial => {
    const [armIndex, position, click] = line.split(',').map(Number) as [number, number, number];
    return {
      armIndex,
      propensity: 0.0217391304347826,
      reward: click,
      target: policy.map((row) => row[position - 1]!),
    };
  });
  const value = estimatePolicyValue(trials);
  t.ok(isNear(value.ips, 0.006813474, 1e-9), `${value.ips}`);
  t.ok(isNear(value.snips, 0.006810965195, 1e-9), `${value.snips}`);
  t.ok(isNear(value.effectiveSize, 1954.2678, 1e-4), `${value.effectiveSize}`);
  t.end();
});

t.test('SNIPS means undo a policy that chose by context', (t) => {
  // Segment 0 converts at 1, segment 1 at 0; arm 0 got segment 0 with .75, arm 1 with .25. Both arms are equal: 1/2.
  const trials = [
    ...Array.from({ length: 3 }, () => ({ armIndex: 0, propensity: 0.75, reward: 1 })),
    { armIndex: 1, propensity: 0.25, reward: 1 },
    { armIndex: 0, propensity: 0.25, reward: 0 },
    ...Array.from({ length: 3 }, () => ({ armIndex: 1, propensity: 0.75, reward: 0 })),
  ];
  const values = estimateArmValues(trials, 2);
  // Arm 0: weights 3 * 4/3 = 4 with reward 1, one of 4 with 0. ESS = 8^2 / (3 * 16/9 + 16) = 3.
  t.ok(isNear(values[0]!.snips, 0.5, 1e-12) && isNear(values[1]!.snips, 0.5, 1e-12));
  t.ok(isNear(values[0]!.effectiveSize, 3, 1e-12));
  t.equal(values[0]!.nTrials, 8);
  t.ok(isNear(values[0]!.ips, 0.5, 1e-12));
  t.equal(estimateArmValues([], 1)[0]!.snips, undefined);
  for (const bad of [0, 1.5, Number.NaN]) {
    t.throws(
      () => estimateArmValues([{ armIndex: 0, propensity: bad, reward: 0 }], 1),
      /propensity of trial 0/,
    );
  }
  t.throws(() => estimateArmValues([{ armIndex: 2, propensity: 1, reward: 0 }], 1), /armIndex of trial 0/);
  t.throws(
    () => estimatePolicyValue([{ armIndex: 0, propensity: 1, reward: 0, target: [2] }]),
    /target of trial 0/,
  );
  t.throws(() => directMethod([{ armIndex: 0, propensity: 1, reward: 0, target: [1] }]), /one prediction/);
  t.end();
});

t.test('betting on the randomisation by hand', (t) => {
  const state = startBetting(2, 0.1);
  betOnTrial(state, { armIndex: 0, propensity: 0.5, reward: 1 });
  // First stake 0. Then sum D = 2, sum D^2 = 4: 2 / (4 + 10) = .142857, clipped to e/2 = .05: E = 1 + .05 * 2 = 1.1.
  t.equal(state.logE[1], 0);
  betOnTrial(state, { armIndex: 0, propensity: 0.5, reward: 1 });
  t.ok(isNear(state.logE[1], Math.log(1.1), 1e-12));
  betOnTrial(state, { armIndex: 1, propensity: 0.5, reward: 1 });
  t.ok(isNear(state.logE[1], Math.log(1.1 * 0.9), 1e-12));
  const check = checkRandomisedWinner(state, 0.05);
  t.match(check, { isDeclared: false, leader: 1 });
  // K / alpha, K over all ever served.
  t.ok(isNear(check.threshold, Math.log(2 / 0.05), 1e-12));
  t.ok(isNear(checkRandomisedWinner(state, 0.05, [0, 1], 5).threshold, Math.log(5 / 0.05), 1e-12));
  for (const bad of [0, 0.6, Number.NaN]) t.throws(() => startBetting(2, bad), /floor must be above 0/);
  t.throws(() => betOnTrial(state, { armIndex: 0, propensity: 0.05, reward: 1 }), /declared floor/);
  t.throws(
    () => betOnTrial(state, { armIndex: 0, propensity: 0.5, reward: 2 }),
    /reward must be between 0 and 1/,
  );
  t.throws(() => betOnTrial(state, { armIndex: 5, propensity: 0.5, reward: 1 }), /armIndex/);
  t.end();
});

t.test('betting finds a better arm and not an equal one', (t) => {
  const play = (rates: readonly [number, number], runSeed: number) => {
    const rng = createRng(runSeed);
    const state = startBetting(2, 0.2);
    for (let i = 0; i < 4000; i++) {
      const isGood = rng.uniform() < 0.5;
      const p0 = isGood ? 0.8 : 0.2;
      const armIndex = rng.uniform() < p0 ? 0 : 1;
      const rate = rates[armIndex]! * (isGood ? 1.5 : 0.5);
      betOnTrial(state, {
        armIndex,
        propensity: armIndex === 0 ? p0 : 1 - p0,
        reward: rng.uniform() < rate ? 1 : 0,
      });
    }
    return checkRandomisedWinner(state, 0.05);
  };
  let nFalse = 0;
  let nRight = 0;
  for (let run = 0; run < 100; run++) {
    nFalse += Number(play([0.3, 0.3], seed + run).isDeclared);
    const check = play([0.2, 0.4], seed + run);
    nRight += Number(check.isDeclared && check.leader === 1);
  }
  // 5 % of 100 is 5; three s.e. (2.2) above.
  t.ok(nFalse <= 11, `${nFalse} false`);
  t.ok(nRight >= 95, `${nRight} right`);
  t.end();
});

t.test('sample ratio by hand', (t) => {
  // (60 - 50)^2 / 50 * 2 = 4, one degree: P = .0455
  const check = checkSampleRatio([60, 40], [50, 50]);
  t.ok(isNear(check.statistic, 4, 1e-12) && isNear(check.pValue, 0.04550026, 1e-7));
  t.equal(check.degrees, 1);
  t.equal(checkSampleRatio([5], [5]).pValue, 1);
  t.throws(() => checkSampleRatio([1, 1], [2, 0]), /treatment 1/);
  t.throws(() => checkSampleRatio([Number.NaN], [1]), RangeError);
  t.end();
});

t.test('maturity: the window divides results', (t) => {
  const table: [number | undefined, number, number, [boolean, boolean, boolean]][] = [
    // rewarded at, now, window -> matured, rewarded, late (assigned at 100)
    [undefined, 150, 60, [false, false, false]],
    [150, 155, 60, [false, true, false]],
    [160, 161, 60, [true, true, false]],
    [161, 161, 60, [true, false, true]],
    [undefined, 161, 60, [true, false, false]],
    [1e9, 1e9, 0, [true, true, false]],
  ];
  for (const [rewardedAt, now, window, [isMatured, isRewarded, isLate]] of table) {
    t.strictSame(classifyMaturity(100, rewardedAt, now, window), { isMatured, isRewarded, isLate });
  }
  t.end();
});

t.test('golden Lai-Robbins constants', (t) => {
  for (const { mu, constant, tol } of golden.lai_robbins) t.ok(isNear(laiRobbinsConstant(mu), constant, tol));
  t.end();
});

t.test(
  'evidence against equal arms is rare under peeking: 200 runs of 2,000 trials, a look every 20',
  (t) => {
    let nFalse = 0;
    for (let run = 0; run < 200; run++) {
      const rng = createRng(seed + run);
      const counts = [
        { n: 0, s: 0 },
        { n: 0, s: 0 },
      ];
      for (let i = 1; i <= 2000; i++) {
        // Greedy with 20 % exploration: as adaptive as it gets.
        const rates = counts.map(({ n, s }) => (s + 1) / (n + 2));
        const greedy = rates[0]! > rates[1]! ? 0 : 1;
        const own = counts[rng.uniform() < 0.8 ? greedy : Math.floor(2 * rng.uniform())]!;
        own.n += 1;
        if (rng.uniform() < 0.1) own.s += 1;
        if (i % 20 === 0 && checkWinner(counts, 0.05).isDeclared) {
          nFalse++;
          break;
        }
      }
    }
    // 5 % of 300 is 15.
    t.ok(nFalse <= 15, `${nFalse} of 300, seed ${seed}`);
    t.end();
  },
);
