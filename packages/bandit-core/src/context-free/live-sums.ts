import { shareByWeight } from '../pmf/share-by-weight.ts';
import type { Arm, ArmSums } from '../policy.ts';
import type { ResolvedOptions } from '../resolve-options.ts';
import { addProductExactly } from './exact-sum.ts';
import { roundedVariance, roundingPart } from './rounded-variance.ts';
import { column, nArmsOf, nColumns, type SumsState } from './sums-state.ts';

/** What an allocation rule sees: the live arms only, numbered 0 … K-1, their sums discounted where configured. */
export interface LiveSums {
  /** shape [K]: index of each live arm among all arms */
  readonly armIndices: readonly number[];
  /** shape [K], sums to 1 */
  readonly shares: Float64Array;
  /** shape [K]: trials, >= 0 */
  readonly n: Float64Array;
  /** shape [K]: sum of rewards; 0 <= s <= n for binary rewards */
  readonly s: Float64Array;
  /** shape [K]: s / n, 0 where n = 0 */
  readonly mean: Float64Array;
  /** shape [K]: mean squared deviation of the arm's rewards from their mean, >= 0 */
  readonly variance: Float64Array;
  /** Trials of all live arms. */
  readonly nTotal: number;
  /** Mean and mean squared deviation of all live arms' rewards taken as one sample; 0 without trials. */
  readonly pooledMean: number;
  readonly pooledVariance: number;
}

/** @throws RangeError for a bad weight, or when no arm is live */
export function liveSums(state: SumsState, arms: readonly Arm[], options: ResolvedOptions): LiveSums {
  const allShares = shareByWeight(arms);
  const armIndices: number[] = [];
  const rows: Row[] = [];
  for (let index = 0; index < arms.length; index++) {
    if (!arms[index]!.isLive) continue;
    armIndices.push(index);
    rows.push(readRow(state, index, options));
  }
  const shares = new Float64Array(rows.length);
  for (let k = 0; k < shares.length; k++) shares[k] = allShares[armIndices[k]!]!;
  return poolRows(rows, armIndices, shares);
}

/** The same view of plain sums, all live with equal weights; a variance within the rounding of the sums is 0. */
export function sumsAsLive(sums: readonly ArmSums[]): LiveSums {
  const rows = sums.map((own) => {
    if (own.n === 0) return noTrials;
    const { variance, rounding } = roundedVariance(own);
    return { n: own.n, s: own.s, mean: own.s / own.n, variance: variance > rounding ? variance : 0 };
  });
  const shares = new Float64Array(rows.length).fill(1 / rows.length);
  return poolRows(rows, [...rows.keys()], shares, roundingPart);
}

/** Rewards that are all alike have means that differ in the last digit: up to this part of their square is no variance. */
const meanRoundingPart = 1e-30;

function poolRows(
  rows: readonly Row[],
  armIndices: readonly number[],
  shares: Float64Array,
  noise = meanRoundingPart,
): LiveSums {
  let nTotal = 0;
  for (const row of rows) nTotal += row.n;
  let pooledMean = 0;
  for (const row of rows) if (row.n > 0) pooledMean += (row.n / nTotal) * row.mean;
  let pooledVariance = 0;
  for (const { n, mean, variance } of rows) {
    if (n > 0) pooledVariance += (n / nTotal) * (variance + (mean - pooledMean) ** 2);
  }
  return {
    armIndices,
    shares,
    n: columnOf(rows, (row) => row.n),
    s: columnOf(rows, (row) => row.s),
    mean: columnOf(rows, (row) => row.mean),
    variance: columnOf(rows, (row) => row.variance),
    nTotal,
    pooledMean,
    pooledVariance: pooledVariance > noise * pooledMean * pooledMean ? pooledVariance : 0,
  };
}

/** `Float64Array.from` with a callback walks an iterator and is ten times slower; simulations feel it. */
function columnOf(rows: readonly Row[], read: (row: Row) => number): Float64Array {
  const values = new Float64Array(rows.length);
  for (let k = 0; k < rows.length; k++) values[k] = read(rows[k]!);
  return values;
}

interface Row {
  n: number;
  s: number;
  mean: number;
  variance: number;
}

const noTrials: Row = { n: 0, s: 0, mean: 0, variance: 0 };

function readRow(state: SumsState, armIndex: number, options: ResolvedOptions): Row {
  const at = armIndex * nColumns;
  if (armIndex >= nArmsOf(state) || state.rows[at + column.n] === 0) return noTrials;
  return options.discount < 1 ? discountedRow(state, at, options) : plainRow(state.rows, at);
}

function plainRow(rows: Float64Array, at: number): Row {
  const n = rows[at + column.n]!;
  const s = rows[at + column.s]!;
  return { n, s, mean: s / n, variance: exactVariance(rows, at) };
}

/** s2/n - (s/n)^2 as (n s2 - s^2) / n^2 with the low halves of the sums, >= 0; noise below 1e-28 of it becomes 0. */
function exactVariance(rows: Float64Array, at: number): number {
  const n = rows[at + column.n]!;
  const s = rows[at + column.s]!;
  scratch.fill(0);
  addProductExactly(scratch, 0, n, rows[at + column.s2]!);
  addProductExactly(scratch, 0, n, rows[at + column.s2 + 1]!);
  addProductExactly(scratch, 0, -s, s);
  addProductExactly(scratch, 0, -2 * s, rows[at + column.s + 1]!);
  const noise = 1e-28 * s * s;
  return scratch[0]! > noise ? scratch[0]! / n / n : 0;
}

/** One double-double accumulator; nothing is kept in it between calls. */
const scratch = new Float64Array(2);

function discountedRow({ rows, scale }: SumsState, at: number, options: ResolvedOptions): Row {
  const n = rows[at + column.discountedN]! * scale;
  // An arm not tried for so long that its weight underflowed is as good as untried.
  if (n < 1e-12) return noTrials;
  const stored = rows[at + column.discountedS]! * scale;
  // Rounding could take s past its bounds by the last digit.
  const s = options.reward === 'binary' ? Math.min(n, Math.max(0, stored)) : stored;
  const mean = s / n;
  const variance = (rows[at + column.discountedS2]! * scale) / n - mean * mean;
  return { n, s, mean, variance: variance > roundingPart * mean * mean ? variance : 0 };
}
