import { readFileSync } from 'node:fs';
import t from 'tap';
import { BinaryReader } from '../../src/codec/binary-reader.ts';
import { BinaryWriter } from '../../src/codec/binary-writer.ts';
import { dotSparse, SparseVector } from '../../src/context/sparse-vector.ts';
import { BayesianArm } from '../../src/linear/bayesian-arm.ts';
import { coefficientPrecision } from '../../src/linear/coefficient-prior.ts';
import { planFold } from '../../src/linear/fold-plan.ts';
import { sigmoid } from '../../src/linear/link.ts';
import { logisticStep } from '../../src/linear/logistic-step.ts';
import { RegressionHead } from '../../src/linear/regression-head.ts';
import { squareCb, squareCbGamma } from '../../src/linear/squarecb.ts';
import type { Fact } from '../../src/policy.ts';
import { createRng } from '../../src/rng.ts';

const golden = JSON.parse(readFileSync(new URL('../vectors/golden.json', import.meta.url), 'utf8'));

/** The same formulas with full matrices and no thought for speed. */
class DenseArm {
  theta: number[];
  P: number[][];

  constructor(d: number, lambda: number) {
    this.theta = Array(d).fill(0);
    this.P = Array.from({ length: d }, (_, i) =>
      Array.from({ length: d }, (_, j) => (i === j ? 1 / lambda : 0)),
    );
  }

  learn(row: number[], target: number, link: 'logistic' | 'identity'): void {
    const g = this.#times(row);
    const v = this.variance(row);
    const eta = row.reduce((sum, value, i) => sum + value * this.theta[i]!, 0);
    const step = link === 'identity' ? (target - eta) / (1 + v) : bisected(eta, v, target);
    const p = sigmoid(eta + v * step);
    const curvature = link === 'identity' ? 1 : p * (1 - p);
    this.theta = this.theta.map((value, i) => value + g[i]! * step);
    this.P = this.P.map((line, i) =>
      line.map((value, j) => value - (curvature * g[i]! * g[j]!) / (1 + curvature * v)),
    );
  }

  move(row: number[], change: number): void {
    const g = this.#times(row);
    this.theta = this.theta.map((value, i) => value + g[i]! * change);
  }

  variance(row: number[]): number {
    const g = this.#times(row);
    return row.reduce((sum, value, i) => sum + value * g[i]!, 0);
  }

  #times(row: number[]): number[] {
    return this.P.map((line) => row.reduce((sum, value, j) => sum + line[j]! * value, 0));
  }
}

t.test('SquareCB: hand-worked, golden, and its laws', (t) => {
  // K = 3, gamma = 10: gaps .1 and .2 give 1/4 and 1/5; the best takes 1 - .45.
  t.ok(isClose(pmfOf([0.3, 0.4, 0.2], 10), [1 / 4, 0.55, 1 / 5], 1e-15));
  t.strictSame(pmfOf([0.5], 1e9), [1]);
  t.ok(isClose(pmfOf([0, 0, 0, 0], 77), [0.25, 0.25, 0.25, 0.25], 1e-15), 'equal arms share');
  t.equal(squareCbGamma(100, 0), 100);
  t.equal(squareCbGamma(100, 400), 2000);
  for (const { predicted, gamma, pmf, tol } of golden.squarecb)
    t.ok(isClose(pmfOf(predicted, gamma), pmf, tol));
  t.ok(isClose(pmfOf([0.2, 0.3, 0.4], 10), [1 / 5, 1 / 4, 0.55], 1e-15), 'permuted');
  t.end();
});

t.test('identity link: the ridge regression of golden.json', (t) => {
  for (const { X, y, lambda_, x, theta, mean, var_unit, tol } of golden.ridge) {
    const arm = new BayesianArm('identity');
    arm.grow(x.length, lambda_);
    for (let i = 0; i < X.length; i++) arm.learn(sparse(X[i]), y[i]);
    t.ok(isClose(arm.theta.subarray(0, arm.d), theta, tol));
    t.ok(Math.abs(dotSparse(sparse(x), arm.theta) - mean) < tol);
    t.ok(Math.abs(arm.variance(sparse(x)) - var_unit) < tol);
  }
  t.end();
});

t.test('identity link: one trial by hand', (t) => {
  // lambda = 2, x = (1, 3), r = 4: P = I/2, x'Px = 5, gain = (.5, 1.5) / 6, theta = 4 gain = (1/3, 1).
  const arm = new BayesianArm('identity');
  arm.grow(2, 2);
  arm.learn(sparse([1, 3]), 4);
  t.ok(isClose(arm.theta.subarray(0, 2), [1 / 3, 1], 1e-15));
  // P = I/2 - (.5, 1.5)(.5, 1.5)' / 6: entries 11, 21, 22.
  t.ok(isClose(arm.covariance.subarray(0, 3), [0.5 - 0.25 / 6, -0.75 / 6, 0.5 - 2.25 / 6], 1e-15));
  arm.correct(sparse([1, 0]), -1);
  // theta -= P (1, 0)'
  t.ok(isClose(arm.theta.subarray(0, 2), [1 / 3 - 0.5 + 0.25 / 6, 1 + 0.75 / 6], 1e-15));
  t.end();
});

t.test('a logistic step ends at the posterior mode', (t) => {
  for (const eta of [-700, -30, -4.6, 0, 3, 700]) {
    for (const v of [0, 1e-9, 0.3, 64, 1e6]) {
      for (const r of [0, 0.3, 1]) {
        const a = logisticStep(eta, v, r);
        t.ok(
          Math.abs(a - (r - sigmoid(eta + v * a))) < 1e-9 * Math.max(1, v),
          `eta ${eta} v ${v} r ${r}: ${a}`,
        );
        t.ok(a >= r - 1 && a <= r);
      }
    }
  }
  // The case of the docstring: from log-odds -4.6 to about 2.2, where one Newton step would go to +34.
  t.ok(Math.abs(-4.6 + 64 * logisticStep(-4.6, 64, 1) - 2.2) < 0.1);
  t.end();
});

t.test('logistic link: one trial by hand', (t) => {
  // Prior variance 1 / .25 = 4, x = 1, r = 1: the mode solves theta = 4 (1 - sigmoid(theta)).
  const arm = new BayesianArm('logistic');
  arm.grow(1, 0.25);
  arm.learn(sparse([1]), 1);
  const theta = arm.theta[0]!;
  t.ok(Math.abs(theta - 4 * (1 - sigmoid(theta))) < 1e-11);
  const p = sigmoid(theta);
  t.ok(
    Math.abs(arm.covariance[0]! - 1 / (0.25 + p * (1 - p))) < 1e-12,
    'variance = 1 / (lambda + p (1 - p))',
  );
  t.end();
});

t.test('packed and sparse agree with dense matrices, columns may come later', (t) => {
  const seed = 11;
  t.comment(`seed ${seed}`);
  const rng = createRng(seed);
  for (const link of ['logistic', 'identity'] as const) {
    const arm = new BayesianArm(link);
    const dense = new DenseArm(12, 3);
    for (let i = 0; i < 300; i++) {
      const d = Math.min(12, 2 + Math.floor(i / 20));
      const row = Array.from({ length: d }, (_, j) =>
        j === 0 ? 1 : rng.uniform() < 0.4 ? 2 * rng.uniform() - 1 : 0,
      );
      const target = link === 'logistic' ? Number(rng.uniform() < 0.3) : 10 * rng.uniform();
      arm.grow(d, 3);
      arm.learn(sparse(row), target);
      dense.learn(row, target, link);
      if (i % 7 === 0) {
        arm.correct(sparse(row), 0.5);
        dense.move(row, 0.5);
      }
      if (i % 50 === 0) reload(arm);
    }
    t.ok(isClose(arm.theta.subarray(0, 12), dense.theta, 1e-9), link);
    const probe = Array.from({ length: 12 }, () => rng.uniform() - 0.5);
    t.ok(Math.abs(arm.variance(sparse(probe)) - dense.variance(probe)) < 1e-9, link);
  }
  t.end();
});

t.test('numeric rewards may be moved: coefficients follow exactly, huge values keep their digits', (t) => {
  const rng = createRng(5);
  const [near, far] = [new RegressionHead('identity'), new RegressionHead('identity')];
  const space = { nColumns: 3, biasColumn: 0, precision: 3 };
  const rows = Array.from({ length: 400 }, () => [1, rng.uniform(), rng.uniform()]);
  for (const row of rows) {
    const reward = 1 + 2 * row[1]! + 0.1 * rng.uniform();
    near.learn(0, sparse(row), space, reward, 0);
    far.learn(0, sparse(row), space, 1e12 + reward, 0);
  }
  const centred = (head: RegressionHead, center: number, x: number[]) => {
    const { theta, unit } = head.findArm(0)!;
    return dotSparse(sparse(x), theta) - (center - head.anchor) * dotSparse(sparse(x), unit);
  };
  // Shrunk towards the centre 2 in one and 1e12 + 2 in the other: the same prediction above it.
  t.ok(Math.abs(centred(near, 2, [1, 0.5, 0.5]) - centred(far, 1e12 + 2, [1, 0.5, 0.5])) < 1e-3);
  t.end();
});

t.test('late successes: spread between trials they end near the rate, in one lump they overshoot', (t) => {
  // 3,000 trials of one context at a rate of .1, each reward a chunk of 500 late.
  const space = { nColumns: 1, biasColumn: 0, precision: 1 };
  const [spread, lump] = [new RegressionHead('logistic'), new RegressionHead('logistic')];
  const x = sparse([1]);
  for (let chunk = 0; chunk < 6; chunk++) {
    for (let i = 0; i < 500; i++) {
      spread.learn(0, x, space, 0, 0);
      if (chunk > 0 && i % 10 === 9) spread.correct(0, x, space, 0, 1);
    }
  }
  for (let i = 0; i < 3000; i++) lump.learn(0, x, space, 0, 0);
  for (let i = 0; i < 250; i++) lump.correct(0, x, space, 0, 1);
  const [near, far] = [spread, lump].map((head) => sigmoid(head.findArm(0)!.theta[0]!));
  t.comment(`250 of 3,000 = .083: spread ${near}, lump ${far}`);
  t.ok(near! > 0.06 && near! < 0.13, `${near}`);
  t.ok(far! > 2 * near!, `${far}`);
  t.end();
});

t.test('the prior of a whole context stays as wide for any number of keys above 21', (t) => {
  t.equal(coefficientPrecision(3, 64), 3);
  t.equal(coefficientPrecision(3, 128), 6);
  t.equal(coefficientPrecision(3, 2), 1);
  t.end();
});

t.test('a chunk: trials once with their final label, corrections spread evenly', (t) => {
  const trial = (armIndex: number): Fact => ({
    kind: 'trial',
    armIndex,
    context: undefined,
    propensity: 1,
    predictions: undefined,
  });
  const reward = (armIndex: number, previous: number, value: number, trialPosition?: number): Fact => ({
    kind: 'reward',
    armIndex,
    context: undefined,
    propensity: 1,
    predictions: undefined,
    previous,
    reward: value,
    isFirst: previous === 0,
    trialPosition,
    trialNumber: undefined,
  });
  const facts = [
    reward(9, 0, 1),
    trial(0),
    trial(1),
    reward(1, 0, 1, 2),
    trial(2),
    reward(8, 0, 1),
    reward(1, 1, 0.5, 2),
    trial(3),
  ];
  const shown = planFold(facts).map((step) =>
    step.kind === 'trial' ? `${step.fact.armIndex}:${step.label}` : `c${step.fact.armIndex}`,
  );
  // Two corrections among four trials: after 1/3 and 2/3 of them, that is after the second and the third.
  t.strictSame(shown, ['0:0', '1:0.5', 'c9', '2:0', 'c8', '3:0']);
  t.strictSame(planFold([reward(9, 0, 1), reward(8, 0, 1)]).length, 2);
  t.throws(() => planFold([trial(0), reward(1, 0, 1, 0)]), {
    message: /trialPosition of fact 1 .* arm 1, got 0/,
  });
  t.throws(() => planFold([reward(0, 0, 1, 0)]), RangeError);
  t.throws(() => planFold([trial(0), reward(0, 0, 1, 0.5)]), RangeError);
  t.end();
});

function bisected(eta: number, v: number, r: number): number {
  let [low, high] = [r - 1, r];
  for (let i = 0; i < 200; i++) {
    const middle = (low + high) / 2;
    if (middle - r + sigmoid(eta + v * middle) > 0) high = middle;
    else low = middle;
  }
  return (low + high) / 2;
}

function reload(arm: BayesianArm): void {
  const writer = new BinaryWriter();
  arm.encode(writer);
  const copy = BayesianArm.decode(new BinaryReader(writer.finish()), arm.link);
  Object.assign(arm, { theta: copy.theta, unit: copy.unit, covariance: copy.covariance, d: copy.d });
}

function sparse(row: number[]): SparseVector {
  const x = new SparseVector(row.length);
  for (let column = 0; column < row.length; column++) x.append(column, row[column]!);
  return x;
}

function pmfOf(predicted: number[], gamma: number): number[] {
  const out = new Float64Array(predicted.length);
  squareCb(Float64Array.from(predicted), gamma, out);
  return [...out];
}

function isClose(found: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number): boolean {
  return (
    found.length === wanted.length &&
    Array.from(found).every((value, i) => Math.abs(value - wanted[i]!) <= tolerance)
  );
}
