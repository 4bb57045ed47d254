import t from 'tap';
import { GaussianBest } from '../../src/gaussian/gaussian-best.ts';
import { fastNormalCdf } from '../../src/gaussian/normal-table.ts';
import { createRng } from '../../src/rng.ts';

/** Midpoints of 4,000 slices of equal probability, by bisection. */
const quantiles = Array.from({ length: 4000 }, (_, i) => {
  let [low, high] = [-9, 9];
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    if (fastNormalCdf(middle) < (i + 0.5) / 4000) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
});

t.test('the table agrees with known values of the normal distribution', (t) => {
  const known: [number, number][] = [
    [0, 0.5],
    [1, 0.8413447460685429],
    [-1.959963984540054, 0.025],
    [2.3263478740408408, 0.99],
    [-5, 2.866515718791939e-7],
  ];
  for (const [z, p] of known) t.ok(Math.abs(fastNormalCdf(z) - p) < 5e-9, `${z}`);
  t.strictSame([fastNormalCdf(-Infinity), fastNormalCdf(Infinity), fastNormalCdf(Number.NaN)], [0, 1, 0]);
  const points = Array.from({ length: 6000 }, (_, i) => fastNormalCdf(i / 300 - 10));
  t.ok(
    points.every((value, i) => i === 0 || value >= points[i - 1]! - 1e-15),
    'it never falls',
  );
  t.end();
});

t.test('two arms have a closed form', (t) => {
  // P(N(1, 3^2) > N(0, 4^2)) = Phi(1 / 5) = .5792597
  const p = all([1, 0], [3, 4]);
  t.ok(Math.abs(p[0]! - 0.579259709439103) < 2e-4, `${p[0]}`);
  t.ok(Math.abs(one(0, [1, 0], [3, 4]) - 0.579259709439103) < 1e-3);
  t.end();
});

t.test('equal arms share equally, single arms are certain, hopeless ones get 0', (t) => {
  for (const nArms of [1, 2, 5, 50]) {
    const means = Array.from({ length: nArms }, () => -3);
    const p = all(
      means,
      means.map(() => 0.7),
    );
    t.ok(
      p.every((value) => Math.abs(value - 1 / nArms) < 1e-12),
      `${nArms}`,
    );
  }
  t.strictSame([...all([5, 5, 1], [0, 0, 0])], [0.5, 0.5, 0], 'ties without spread');
  t.strictSame([...all([0, 100], [1, 1])], [0, 1]);
  t.equal(one(0, [0, 100], [1, 1]), 0);
  t.ok(all([0, 0], [0, 1])[0]! > 0.499, 'a known arm against a wide one of the same mean');
  t.end();
});

t.test('agrees with a fine integral on random cases, sums to 1, follows permutations', (t) => {
  const seed = 3;
  t.comment(`seed ${seed}`);
  const rng = createRng(seed);
  let worst = 0;
  let largestSumError = 0;
  let turnedError = 0;
  for (let round = 0; round < 150; round++) {
    const nArms = 2 + Math.floor(rng.uniform() * 11);
    const means = Array.from({ length: nArms }, () => 4 * rng.uniform());
    const sds = means.map(() => 10 ** (2 * rng.uniform() - 1.5));
    const p = all(means, sds);
    const oracle = slowBest(means, sds);
    for (let k = 0; k < nArms; k++) {
      worst = Math.max(worst, Math.abs(p[k]! - oracle[k]!), Math.abs(one(k, means, sds) - oracle[k]!));
    }
    largestSumError = Math.max(largestSumError, Math.abs(p.reduce((sum, value) => sum + value, 0) - 1));
    const turned = all([...means.slice(1), means[0]!], [...sds.slice(1), sds[0]!]);
    turned.forEach((value, k) => {
      turnedError = Math.max(turnedError, Math.abs(value - p[(k + 1) % nArms]!));
    });
  }
  t.comment(`largest error ${worst}`);
  t.ok(worst < 1e-3, `${worst}`);
  t.ok(largestSumError < 1e-12 && turnedError < 1e-12);
  t.end();
});

function all(means: number[], sds: number[]): Float64Array {
  const out = new Float64Array(means.length);
  new GaussianBest(means.length).all(Float64Array.from(means), Float64Array.from(sds), out);
  return out;
}

function one(k: number, means: number[], sds: number[]): number {
  return new GaussianBest(means.length).one(k, Float64Array.from(means), Float64Array.from(sds));
}

/** The obvious integral: midpoints of 4,000 equal-probability slices of each arm in turn, found by bisection. */
function slowBest(means: number[], sds: number[]): number[] {
  return means.map((mean, k) => {
    let sum = 0;
    for (const z of quantiles) {
      const value = mean + sds[k]! * z;
      sum += means.reduce(
        (product, m, j) => (j === k ? product : product * fastNormalCdf((value - m) / sds[j]!)),
        1,
      );
    }
    return sum / quantiles.length;
  });
}
