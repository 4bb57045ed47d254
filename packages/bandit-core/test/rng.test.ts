import t from 'tap';
import { drawBeta, drawGamma, drawNormal } from '../src/draws.ts';
import { createRng, decodeRng } from '../src/rng.ts';

const firstOfSeed1 = [0.010489706190988657, 0.5758354146044817, 0.9323463832299644];

t.test('equal seeds give equal sequences, other seeds others', (t) => {
  const take = (seed: number | bigint) => {
    const rng = createRng(seed);
    return Array.from({ length: 5 }, () => rng.uniform());
  };
  t.strictSame(take(7), take(7));
  const firsts = [0, 1, 2, -1, 0.5, 1e300, 1n, 2n ** 64n - 1n].map((seed) => take(seed)[0]);
  t.equal(new Set(firsts).size, firsts.length);
  for (const bad of [Number.NaN, Infinity]) t.throws(() => createRng(bad), RangeError);
  t.end();
});

t.test('the first numbers of seed 1 never change: recorded runs must replay', (t) => {
  const rng = createRng(1);
  t.strictSame([rng.uniform(), rng.uniform(), rng.uniform()], firstOfSeed1);
  t.end();
});

t.test('encoded state continues the sequence', (t) => {
  const rng = createRng(5);
  for (let i = 0; i < 1000; i++) rng.uniform();
  const copy = decodeRng(rng.encode());
  for (let i = 0; i < 100; i++) t.equal(copy.uniform(), rng.uniform());
  t.throws(() => decodeRng(new Uint8Array([1, 2, 3])), RangeError);
  t.end();
});

t.test('uniforms are uniform: chi-square over 100 cells, 10^6 draws', (t) => {
  const rng = createRng(11);
  const cells = new Float64Array(100);
  for (let i = 0; i < 1e6; i++) {
    const u = rng.uniform();
    if (u < 0 || u >= 1) t.fail(`outside [0, 1): ${u}`);
    cells[Math.floor(u * 100)]! += 1;
  }
  const statistic = cells.reduce((sum, count) => sum + (count - 1e4) ** 2 / 1e4, 0);
  // 99 degrees of freedom: mean 99, s.d. 14; four s.d. on either side.
  t.ok(statistic > 43 && statistic < 155, `statistic ${statistic}`);
  t.end();
});

t.test('normal, gamma and beta draws have their first two moments, within 4.5 standard errors', (t) => {
  const n = 200_000;
  const cases: [string, (rng: ReturnType<typeof createRng>) => number, number, number, number][] = [
    // name, draw, mean, variance, fourth central moment
    ['normal', (rng) => drawNormal(rng), 0, 1, 3],
    // Gamma(a): mean a, variance a, fourth central moment 3 a^2 + 6 a.
    ['gamma .3', (rng) => drawGamma(rng, 0.3), 0.3, 0.3, 3 * 0.09 + 1.8],
    ['gamma 1', (rng) => drawGamma(rng, 1), 1, 1, 9],
    ['gamma 40', (rng) => drawGamma(rng, 40), 40, 40, 3 * 1600 + 240],
    // Beta(2, 6): mean 1/4, variance 12/(64 * 9) = 1/48; kurtosis 3 + 6 ((4^2)(9) - 12 * 10)/(12 * 10 * 11) = 3.109
    ['beta 2, 6', (rng) => drawBeta(rng, 2, 6), 1 / 4, 1 / 48, 3.10909 / 48 ** 2],
  ];
  for (const [name, draw, mean, variance, fourth] of cases) {
    const rng = createRng(3);
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < n; i++) {
      const x = draw(rng) - mean;
      sum += x;
      squares += x * x;
    }
    const meanError = Math.sqrt(variance / n);
    const varianceError = Math.sqrt((fourth - variance * variance) / n);
    t.ok(Math.abs(sum / n) < 4.5 * meanError, `${name}: mean off by ${sum / n / meanError} s.e.`);
    const off = (squares / n - variance) / varianceError;
    t.ok(Math.abs(off) < 4.5, `${name}: variance off by ${off} s.e.`);
  }
  for (const bad of [0, -1, Number.NaN, Infinity]) t.throws(() => drawGamma(createRng(1), bad), RangeError);
  t.end();
});
