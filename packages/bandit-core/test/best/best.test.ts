import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { betaBest, betaExpectedMax } from '../../src/best/beta-best.ts';
import { gaussLegendre } from '../../src/best/gauss-legendre.ts';
import { type StudentLaw, studentBest, studentExpectedMax } from '../../src/best/student-best.ts';
import { drawBeta, drawGamma, drawNormal } from '../../src/draws.ts';
import { createRng } from '../../src/rng.ts';
import { betaCdf } from '../../src/special/beta-cdf.ts';
import { lnBeta } from '../../src/special/ln-gamma.ts';
import { normalCdf } from '../../src/special/normal.ts';

const golden = JSON.parse(readFileSync(new URL('../vectors/golden.json', import.meta.url), 'utf8'));
const runs = { seed: 20_262, numRuns: 60 };
const largestGap = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0);

/**
 * Slow oracle: the midpoint rule on 200,000 cells of x in (0, 1), densities and distribution functions by their
 * textbook formulas. Shares no code with the fast integral but lnBeta and betaCdf, which have oracles of their own.
 */
function slowBetaBest(alphas: readonly number[], betas: readonly number[]): number[] {
  const nCells = 200_000;
  const best = alphas.map(() => 0);
  const constants = alphas.map((alpha, k) => lnBeta(alpha, betas[k]!));
  for (let i = 0; i < nCells; i++) {
    const x = (i + 0.5) / nCells;
    const cdfs = alphas.map((alpha, k) => betaCdf(x, alpha, betas[k]!));
    alphas.forEach((alpha, k) => {
      const exponent = (alpha - 1) * Math.log(x) + (betas[k]! - 1) * Math.log1p(-x) - constants[k]!;
      best[k]! += cdfs.reduce(
        (product, cdf, j) => (j === k ? product : product * cdf),
        Math.exp(exponent) / nCells,
      );
    });
  }
  return best;
}

/** Exact for two arms with whole alpha_b: P(b > a) by Evan Miller's sum of beta functions. */
function exactPair(alphaA: number, betaA: number, alphaB: number, betaB: number): number {
  let total = 0;
  for (let i = 0; i < alphaB; i++) {
    total += Math.exp(
      lnBeta(alphaA + i, betaA + betaB) - Math.log(betaB + i) - lnBeta(1 + i, betaB) - lnBeta(alphaA, betaA),
    );
  }
  return total;
}

t.test('Gauss-Legendre nodes integrate polynomials exactly, also up to each node', (t) => {
  const rule = gaussLegendre(16);
  // integral of x^30 over [-1, 1] = 2/31: degree 30 is below 2 * 16 - 1.
  t.ok(Math.abs(rule.weights.reduce((sum, w, i) => sum + w * rule.nodes[i]! ** 30, 0) - 2 / 31) < 1e-14);
  // integral of x^15 from -1 to x = (x^16 - 1)/16.
  rule.nodes.forEach((x, i) => {
    let integral = 0;
    for (let j = 0; j < 16; j++) integral += rule.cumulative[i * 16 + j]! * rule.nodes[j]! ** 15;
    t.ok(Math.abs(integral - (x ** 16 - 1) / 16) < 1e-14);
  });
  t.end();
});

t.test('golden P(best)', (t) => {
  for (const { alpha, beta, pbest, tol } of golden.pbest) {
    const gap = largestGap(betaBest(alpha, beta), pbest);
    t.ok(gap < Math.min(tol, 1e-9), `gap ${gap}`);
  }
  t.end();
});

t.test('hand-worked P(best)', (t) => {
  // U uniform, Y = Beta(1, 1000): P(Y > U) = E[Y] = 1/1001.
  t.ok(largestGap(betaBest([1, 1], [1, 1000]), [1000 / 1001, 1 / 1001]) < 1e-12);
  // Two Beta(1, 1000) and a uniform: density 1000 (1 - x)^999, F = 1 - (1 - x)^1000; P(U best) = integral of F^2
  // = 1 - 2/1001 + 1/2001.
  const uniform = 1 - 2 / 1001 + 1 / 2001;
  t.ok(
    largestGap(betaBest([1, 1, 1], [1000, 1, 1000]), [(1 - uniform) / 2, uniform, (1 - uniform) / 2]) < 1e-12,
  );
  // Beta(a, 1) against Beta(b, 1), F = x^b: integral of a x^(a-1) x^b = a / (a + b).
  t.ok(largestGap(betaBest([3, 5], [1, 1]), [3 / 8, 5 / 8]) < 1e-12);
  t.strictSame([...betaBest([4], [9])], [1]);
  t.end();
});

t.test('two arms against an exact sum, up to counts of 10^6', (t) => {
  const cases: [number, number, number, number][] = [
    [1, 1, 2, 1],
    [3, 900, 9, 1200],
    [120, 80, 130, 90],
    [5000, 95_000, 5100, 95_200],
    [20_000, 980_000, 20_300, 979_000],
  ];
  for (const [alphaA, betaA, alphaB, betaB] of cases) {
    const expected = exactPair(alphaA, betaA, alphaB, betaB);
    const gap = Math.abs(betaBest([alphaA, alphaB], [betaA, betaB])[1]! - expected);
    t.ok(gap < 1e-9, `${alphaA}, ${betaA}, ${alphaB}, ${betaB}: gap ${gap}`);
  }
  t.end();
});

t.test('fast equals slow', (t) => {
  const cases: [number[], number[]][] = [
    [
      [2, 3, 4],
      [5, 6, 7],
    ],
    [
      [3, 2, 40, 7],
      [80, 3, 900, 7.5],
    ],
    [
      [11, 12, 13, 14, 15, 30],
      [200, 210, 220, 230, 240, 400],
    ],
  ];
  // The midpoint rule's own error is h^2/24 times the second derivative of a density of height ~40: about 1e-8.
  for (const [alphas, betas] of cases)
    t.ok(largestGap(betaBest(alphas, betas), slowBetaBest(alphas, betas)) < 2e-8);
  t.end();
});

t.test('equal arms share equally, up to fifty of them and counts of 10^9', (t) => {
  for (const [alpha, beta] of [
    [1, 1],
    [0.01, 0.01],
    [1, 1000],
    [5e8, 5e8],
    [30, 1e9],
  ] as const) {
    for (const nArms of [2, 7, 50]) {
      const best = betaBest(new Array(nArms).fill(alpha), new Array(nArms).fill(beta));
      t.ok(largestGap(best, new Array(nArms).fill(1 / nArms)) < 1e-11, `${alpha}, ${beta}, K = ${nArms}`);
    }
  }
  t.end();
});

t.test('at large counts Beta is normal: P(best) of a pair is Phi(gap / s.d.)', (t) => {
  // s.d. of the difference sqrt(2 * .25 / n), n = 2e9: 1.58e-5; gap 1.5e4 / 2e9 = 7.5e-6: z = .4743.
  const z = 1.5e4 / 2e9 / Math.sqrt((2 * 0.25) / 2e9);
  const [, second] = betaBest([1e9, 1e9 + 1.5e4], [1e9, 1e9 - 1.5e4]);
  t.ok(Math.abs(second! - normalCdf(z)) < 1e-8, `${second} and ${normalCdf(z)}`);
  t.end();
});

t.test('P(best) sums to one, follows a permutation of the arms and grows with successes', (t) => {
  const arm = fc.tuple(
    fc.double({ min: 0.02, max: 1e6, noNaN: true }),
    fc.double({ min: 0.02, max: 1e6, noNaN: true }),
  );
  fc.assert(
    fc.property(fc.array(arm, { minLength: 2, maxLength: 20 }), (arms) => {
      const best = betaBest(
        arms.map(([a]) => a),
        arms.map(([, b]) => b),
      );
      const turned = [...arms.slice(1), arms[0]!];
      const permuted = betaBest(
        turned.map(([a]) => a),
        turned.map(([, b]) => b),
      );
      const more = betaBest(
        arms.map(([a], k) => (k === 0 ? a + 1 : a)),
        arms.map(([, b]) => b),
      );
      const total = best.reduce((sum, p) => sum + p, 0);
      return (
        Math.abs(total - 1) < 1e-9 &&
        best.every((p) => p >= 0) &&
        largestGap([...permuted.slice(-1), ...permuted.slice(0, -1)], best) < 1e-9 &&
        more[0]! >= best[0]! - 1e-9
      );
    }),
    runs,
  );
  t.end();
});

t.test('probabilities of an arm far behind are tiny, not noise', (t) => {
  const [behind] = betaBest([50, 500], [950, 500]);
  t.ok(behind! >= 0 && behind! < 1e-12);
  for (const bad of [0, -1, Number.NaN, Infinity])
    t.throws(() => betaBest([bad, 1], [1, 1]), /alpha and beta of arm 0/);
  t.end();
});

t.test('Student-t P(best): symmetric cases, the normal limit and simulation', (t) => {
  const law = (location: number, scale: number, degrees: number): StudentLaw => ({
    location,
    scale,
    degrees,
  });
  t.ok(largestGap(studentBest([law(5, 2, 2), law(5, 7, 9)]), [0.5, 0.5]) < 1e-12);
  // Two normals a unit apart: Phi(1 / sqrt 2).
  const pair = studentBest([law(0, 1, Infinity), law(1, 1, Infinity)]);
  t.ok(Math.abs(pair[1]! - normalCdf(Math.SQRT1_2)) < 1e-11);
  t.ok(largestGap(studentBest([law(0, 1, 1e9), law(1, 1, 1e9)]), pair) < 1e-8);
  const laws = [law(0, 1, 2), law(0.4, 0.5, 6), law(0.9, 0.01, 300)];
  const rng = createRng(9);
  const wins = new Float64Array(3);
  for (let i = 0; i < 200_000; i++) {
    // t(v) = Z / sqrt(2 Gamma(v/2) / v)
    const draws = laws.map(
      (l) =>
        l.location + (l.scale * drawNormal(rng)) / Math.sqrt((2 * drawGamma(rng, l.degrees / 2)) / l.degrees),
    );
    wins[draws.indexOf(Math.max(...draws))]! += 1 / 200_000;
  }
  // s.e. at most sqrt(.25 / 200,000) = .0011
  t.ok(largestGap(studentBest(laws), wins) < 0.005);
  t.end();
});

t.test('shifting and scaling all laws together changes nothing', (t) => {
  const laws = [1, 2, 3, 4].map((k) => ({ location: k / 3, scale: 1 / k, degrees: 2 * k }));
  const expected = studentBest(laws);
  for (const [factor, shift] of [
    [1e-9, 0],
    [1e12, 5e11],
    [7, -3],
  ] as const) {
    const moved = laws.map((l) => ({ ...l, location: factor * l.location + shift, scale: factor * l.scale }));
    t.ok(largestGap(studentBest(moved), expected) < 1e-9, `${factor}, ${shift}`);
  }
  t.throws(() => studentBest([{ location: Number.NaN, scale: 1, degrees: 2 }]), RangeError);
  t.throws(() => studentBest([{ location: 0, scale: 0, degrees: 2 }]), RangeError);
  t.end();
});

t.test('laws of any place and width give probabilities', (t) => {
  const law = fc.record({
    location: fc.double({ min: -1e18, max: 1e18, noNaN: true }),
    scale: fc.double({ min: 1e-9, max: 1e10, noNaN: true }),
    degrees: fc.double({ min: 2, max: 1e6, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(law, { minLength: 1, maxLength: 8 }), (laws) => {
      const best = studentBest(laws);
      return best.every((p) => p >= 0) && Math.abs(best.reduce((sum, p) => sum + p, 0) - 1) < 1e-9;
    }),
    { ...runs, numRuns: 300 },
  );
  t.end();
});

t.test('the mean of the largest', (t) => {
  // Largest of K uniforms: K / (K + 1). Of one arm: its mean.
  t.ok(Math.abs(betaExpectedMax([1, 1, 1], [1, 1, 1]) - 3 / 4) < 1e-12);
  t.ok(Math.abs(betaExpectedMax([3], [7]) - 0.3) < 1e-12);
  // Largest of two standard normals: 1 / sqrt(pi).
  const normal = { location: 0, scale: 1, degrees: Infinity };
  t.ok(Math.abs(studentExpectedMax([normal, normal]) - 1 / Math.sqrt(Math.PI)) < 1e-10);
  const shifted = { location: 1e6, scale: 3, degrees: Infinity };
  t.ok(Math.abs(studentExpectedMax([shifted, shifted]) - 1e6 - 3 / Math.sqrt(Math.PI)) < 1e-9);
  const rng = createRng(4);
  let sum = 0;
  for (let i = 0; i < 100_000; i++) sum += Math.max(drawBeta(rng, 4, 6), drawBeta(rng, 30, 60)) / 100_000;
  // s.d. of the largest about .1, so s.e. .0003
  t.ok(Math.abs(betaExpectedMax([4, 30], [6, 60]) - sum) < 0.0015);
  t.end();
});
