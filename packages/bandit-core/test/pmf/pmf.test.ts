import fc from 'fast-check';
import t from 'tap';
import { applyFloor, defaultFloor } from '../../src/pmf/apply-floor.ts';
import { capNewArms, findNewArms } from '../../src/pmf/cap-new-arms.ts';
import { cumulate, drawArm } from '../../src/pmf/draw-arm.ts';
import { normalise } from '../../src/pmf/normalise.ts';
import { shareByWeight } from '../../src/pmf/share-by-weight.ts';
import { createRng } from '../../src/rng.ts';

const seed = 20_261;
const runs = { seed, numRuns: 300 };
const live = (weight: number) => ({ weight, isLive: true });
const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);
const pmfs = fc
  .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 50 })
  .map((values) => normalise(values, new Float64Array(values.length).fill(1 / values.length)));

t.test('shares are weights over their sum, none for arms that are not live', (t) => {
  t.strictSame([...shareByWeight([live(1), { weight: 9, isLive: false }, live(3)])], [0.25, 0, 0.75]);
  t.throws(() => shareByWeight([{ weight: 1, isLive: false }]), /at least one of 1 arms must be live/);
  t.throws(() => shareByWeight([]), RangeError);
  for (const bad of [0, -1, Number.NaN, Infinity]) t.throws(() => shareByWeight([live(bad)]), RangeError);
  t.end();
});

t.test('the floor mixes with the shares', (t) => {
  // .9 * 1 + .1 * .25 = .925; .9 * 0 + .1 * .75 = .075
  const floored = applyFloor(Float64Array.of(1, 0), Float64Array.of(0.25, 0.75), 0.1);
  t.match(
    [...floored].map((p) => p.toFixed(12)),
    ['0.925000000000', '0.075000000000'],
  );
  // min(.01 K, .10) in all, nothing for contextual algorithms.
  t.equal(defaultFloor('UCB1', 3), 0.03);
  t.equal(defaultFloor('THOMPSON_SAMPLING', 50), 0.1);
  t.equal(defaultFloor('LINEAR_CONTEXTUAL', 3), 0);
  t.end();
});

t.test('floored probabilities sum to one and respect the floor', (t) => {
  fc.assert(
    fc.property(pmfs, fc.double({ min: 0, max: 1, noNaN: true }), (pmf, floor) => {
      const shares = shareByWeight(Array.from(pmf, (_, i) => live(1 + (i % 7))));
      const floored = applyFloor(pmf, shares, floor);
      const isRespected = floored.every((p, i) => p >= floor * shares[i]! - 1e-15);
      return isRespected && Math.abs(sum(floored) - 1) < 1e-12;
    }),
    runs,
  );
  t.end();
});

t.test('a new arm gets at most its share, the excess goes to the others in proportion', (t) => {
  const shares = Float64Array.of(0.25, 0.25, 0.25, 0.25);
  // Arm 3 gives .9 - .25 = .65 up; .08 and .02 of .1 become .75 * .8 = .6 and .75 * .2 = .15.
  const capped = capNewArms(Float64Array.of(0.08, 0.02, 0, 0.9), shares, [false, false, false, true]);
  t.match(
    [...capped].map((p) => p.toFixed(12)),
    ['0.600000000000', '0.150000000000', '0.000000000000', '0.250000000000'],
  );
  // What arm 3 gives up lifts the new arm 2 over its share, so it is held too: 1 - .5 is left for arm 0.
  const both = capNewArms(Float64Array.of(0.1, 0, 0.2, 0.7), shares, [false, false, true, true]);
  t.match(
    [...both].map((p) => p.toFixed(12)),
    ['0.500000000000', '0.000000000000', '0.250000000000', '0.250000000000'],
  );
  // Others with nothing share by weight.
  t.strictSame(
    [...capNewArms(Float64Array.of(0, 0, 0, 1), shares, [false, false, false, true])],
    [0.25, 0.25, 0.25, 0.25],
  );
  // All new: the shares.
  t.strictSame([...capNewArms(Float64Array.of(1, 0, 0, 0), shares, [true, true, true, true])], [...shares]);
  t.end();
});

t.test('capped probabilities sum to one, no new arm over its share, no other arm loses', (t) => {
  fc.assert(
    fc.property(pmfs, fc.array(fc.boolean(), { minLength: 50, maxLength: 50 }), (pmf, flags) => {
      const isNew = Array.from(pmf, (_, i) => flags[i]!);
      const shares = shareByWeight(Array.from(pmf, (_, i) => live(1 + (i % 5))));
      const capped = capNewArms(pmf, shares, isNew);
      return (
        Math.abs(sum(capped) - 1) < 1e-9 &&
        capped.every((p, i) => p >= 0 && (isNew[i] ? p <= shares[i]! + 1e-12 : p >= pmf[i]! - 1e-12))
      );
    }),
    runs,
  );
  t.end();
});

t.test('an arm is new until 100 trials, by flag or by a late first trial', (t) => {
  const arms = [live(1), { ...live(1), isOriginal: false }, { ...live(1), isOriginal: true }, live(1)];
  const shares = shareByWeight(arms);
  const isNew = (n: number[], first: number[], total: number) => findNewArms(arms, shares, n, first, total);
  // Arm 3's first trial at 900: 900 * .25 = 225 > 20. Arm 0 began at 1.
  t.strictSame(isNew([50, 50, 50, 50], [1, 0, 900, 900], 1000), [false, true, false, true]);
  t.strictSame(isNew([100, 100, 100, 100], [1, 0, 900, 900], 1000), [false, false, false, false]);
  // Untried after 1,000 trials: new unless said otherwise. At 80 trials (80 * .25 = 20) it may still be chance.
  t.strictSame(isNew([], [], 1000), [true, true, false, true]);
  t.strictSame(isNew([], [], 80), [false, true, false, false]);
  t.end();
});

t.test('a draw answers every uniform number and never an arm of probability 0', (t) => {
  const cumulative = cumulate(Float64Array.of(0, 0.25, 0, 0.75, 0));
  const table: [number, number][] = [
    [0, 1],
    [0.2499, 1],
    [0.25, 3],
    [1 - 2 ** -53, 3],
  ];
  for (const [uniform, arm] of table) t.equal(drawArm(cumulative, uniform), arm, String(uniform));
  // Tenths do not sum to 1 exactly; the last arm still takes what is left.
  t.equal(drawArm(cumulate(new Float64Array(10).fill(0.1)), 1 - 2 ** -53), 9);
  t.end();
});

t.test('10^6 draws follow the PMF: chi-square', (t) => {
  const pmf = Float64Array.of(0.001, 0.099, 0, 0.3, 0.6);
  const cumulative = cumulate(pmf);
  const rng = createRng(seed);
  const counts = new Float64Array(5);
  for (let i = 0; i < 1e6; i++) counts[drawArm(cumulative, rng.uniform())]! += 1;
  const statistic = counts.reduce(
    (total, count, i) => total + (pmf[i]! > 0 ? (count - 1e6 * pmf[i]!) ** 2 / (1e6 * pmf[i]!) : 0),
    0,
  );
  t.equal(counts[2], 0);
  // 3 degrees of freedom: above 21.1 with probability 1e-4.
  t.ok(statistic < 21.1, `statistic ${statistic}, seed ${seed}`);
  t.end();
});

t.test('normalise falls back where there is nothing to divide by', (t) => {
  const fallback = Float64Array.of(0.5, 0.5);
  for (const bad of [
    [0, 0],
    [Number.NaN, 1],
    [-1, 2],
    [Infinity, 1],
  ])
    t.strictSame([...normalise(bad, fallback)], [0.5, 0.5]);
  t.strictSame([...normalise([1, 3], fallback)], [0.25, 0.75]);
  t.end();
});
