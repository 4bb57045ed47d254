import t from 'tap';
import { bernoulliDivergence } from '../../src/special/bernoulli-divergence.ts';
import { betaCdf } from '../../src/special/beta-cdf.ts';
import { chiSquareTail, upperGamma } from '../../src/special/incomplete-gamma.ts';
import { lnBeta, lnBetaPeak, lnGamma, stirlingError } from '../../src/special/ln-gamma.ts';
import { log1pMinus } from '../../src/special/log1p-minus.ts';
import { normalCdf } from '../../src/special/normal.ts';
import { digamma, trigamma } from '../../src/special/polygamma.ts';

const isNear = (value: number, expected: number, tolerance: number) =>
  Math.abs(value - expected) <= tolerance * Math.max(1, Math.abs(expected));

t.test('ln Gamma at known points', (t) => {
  const table: [number, number][] = [
    [1, 0],
    [2, 0],
    [0.5, 0.5 * Math.log(Math.PI)],
    // Gamma(11) = 10! = 3,628,800
    [11, Math.log(3_628_800)],
    [1e-10, 23.025850929882736],
    // mpmath 1.3: loggamma(1e9 + .5), loggamma(123.456)
    [1e9 + 0.5, 19723265837.86535],
    [123.456, 469.6055471299295],
  ];
  for (const [x, expected] of table) t.ok(isNear(lnGamma(x), expected, 2e-15), `${x}: ${lnGamma(x)}`);
  // Gamma(x + 1) = x Gamma(x), through every branch.
  for (let x = 1e-9; x < 1e7; x *= 1.7) {
    t.ok(isNear(lnGamma(x + 1), lnGamma(x) + Math.log(x), 1e-14), `recurrence at ${x}`);
  }
  for (const bad of [0, -1, Number.NaN]) t.throws(() => lnGamma(bad), RangeError);
  t.end();
});

t.test('ln B does not cancel at large arguments', (t) => {
  // B(1, n) = 1/n; B(2, n) = 1 / (n (n + 1)).
  for (const n of [1, 3.5, 1e3, 1e9, 1e15]) {
    t.ok(isNear(lnBeta(1, n), -Math.log(n), 3e-15), `1, ${n}`);
    t.ok(isNear(lnBeta(n, 2), -Math.log(n) - Math.log(n + 1), 3e-15), `${n}, 2`);
  }
  // peak = a ln x0 + b ln(1 - x0) - ln B; a = b = 1: ln(1/4).
  t.ok(isNear(lnBetaPeak(1, 1), Math.log(1 / 4), 1e-14));
  t.ok(isNear(lnBetaPeak(3, 8), 3 * Math.log(3 / 11) + 8 * Math.log(8 / 11) - lnBeta(3, 8), 1e-14));
  // Stirling: 1/(12 x) - 1/(360 x^3) + ...
  t.ok(isNear(stirlingError(1000), 1 / 12_000 - 1 / 3.6e11, 1e-18));
  t.end();
});

t.test('ln(1 + x) - x near and far from 0', (t) => {
  // -x^2/2 + x^3/3 - x^4/4
  for (const x of [1e-8, -1e-8, 1e-5]) {
    const series = -(x ** 2) / 2 + x ** 3 / 3 - x ** 4 / 4;
    t.ok(Math.abs(log1pMinus(x) / series - 1) < 1e-14, String(x));
  }
  for (const x of [-0.9, -0.2, -0.19, 0.24, 0.26, 5])
    t.ok(isNear(log1pMinus(x), Math.log1p(x) - x, 1e-15), String(x));
  t.end();
});

t.test('digamma and trigamma at known points', (t) => {
  const euler = 0.5772156649015329;
  t.ok(isNear(digamma(1), -euler, 1e-11));
  t.ok(isNear(digamma(0.5), -euler - 2 * Math.LN2, 1e-11));
  t.ok(isNear(trigamma(1), Math.PI ** 2 / 6, 1e-9));
  t.ok(isNear(trigamma(0.5), Math.PI ** 2 / 2, 1e-9));
  t.end();
});

t.test('the normal distribution function, tails included', (t) => {
  const table: [number, number][] = [
    [0, 0.5],
    [1, 0.8413447460685429],
    [-1.959963984540054, 0.025],
    [3, 0.9986501019683699],
    [-5.5, 1.8989562465887718e-8],
    [-10, 7.619853024160525e-24],
    [-37, 5.725571222524577e-300],
  ];
  for (const [x, expected] of table)
    t.ok(Math.abs(normalCdf(x) / expected - 1) < 1e-13, `${x}: ${normalCdf(x)}`);
  for (let x = -6; x <= 6; x += 0.01) t.ok(Math.abs(normalCdf(x) + normalCdf(-x) - 1) < 1e-15);
  t.equal(normalCdf(Infinity), 1);
  t.equal(normalCdf(-Infinity), 0);
  t.end();
});

t.test('the Beta distribution function against closed forms', (t) => {
  for (const x of [0, 1e-6, 0.2, 0.5, 0.93, 1]) {
    // Beta(a, 1): x^a; Beta(1, b): 1 - (1 - x)^b; Beta(2, 2): 3 x^2 - 2 x^3.
    t.ok(isNear(betaCdf(x, 7, 1), x ** 7, 1e-14), `7, 1 at ${x}`);
    t.ok(isNear(betaCdf(x, 1, 1000), 1 - (1 - x) ** 1000, 1e-13), `1, 1000 at ${x}`);
    t.ok(isNear(betaCdf(x, 2, 2), 3 * x * x - 2 * x ** 3, 1e-14), `2, 2 at ${x}`);
  }
  // Symmetric laws are at 1/2 in the middle, also at counts of 10^6; I_x(a, b) = 1 - I_(1-x)(b, a).
  for (const a of [0.3, 5, 1e3, 1e6]) t.ok(isNear(betaCdf(0.5, a, a), 0.5, 1e-11), String(a));
  t.ok(isNear(betaCdf(0.31, 400, 900), 1 - betaCdf(0.69, 900, 400), 1e-12));
  t.end();
});

t.test('incomplete gamma and chi-square tails', (t) => {
  // Q(1, x) = e^-x; Q(2, x) = e^-x (1 + x); chi-square with 2 degrees: e^(-x/2).
  for (const x of [0, 0.3, 1, 4, 30, 200]) {
    t.ok(isNear(upperGamma(1, x), Math.exp(-x), 1e-14));
    t.ok(isNear(upperGamma(2, x), Math.exp(-x) * (1 + x), 1e-14));
  }
  t.ok(isNear(chiSquareTail(2, 9.2103403719761836), 0.01, 1e-13));
  // 95 % point of 1 degree: 1.959963984540054^2
  t.ok(isNear(chiSquareTail(1, 1.959963984540054 ** 2), 0.05, 1e-13));
  t.throws(() => upperGamma(0, 1), RangeError);
  t.end();
});

t.test('Bernoulli divergence, its edges and its square law near equality', (t) => {
  // d(.5, .25) = .5 ln 2 + .5 ln(.5/.75)
  t.ok(isNear(bernoulliDivergence(0.5, 0.25), 0.5 * Math.LN2 + 0.5 * Math.log(2 / 3), 1e-15));
  t.equal(bernoulliDivergence(0, 0), 0);
  t.ok(isNear(bernoulliDivergence(0, 0.3), -Math.log(0.7), 1e-15));
  t.ok(isNear(bernoulliDivergence(1, 0.3), -Math.log(0.3), 1e-15));
  t.equal(bernoulliDivergence(0.5, 0), Infinity);
  // (q - p)^2 / (2 p (1 - p)) at q - p = 1e-9: 1e-18 / .18 / ... = 5.5556e-18
  t.ok(Math.abs(bernoulliDivergence(0.1, 0.1 + 1e-9, 1e-9) / (1e-18 / 0.18) - 1) < 1e-7);
  t.end();
});
