/**
 * What serving needs of a `RegressionHead`: coefficients and covariance of the live arms in float32. Numeric rewards
 * are measured from the pooled mean in units of 3 pooled s.d., so any scale of values fits. Where the covariances do not fit into the given bytes their diagonals are kept: the
 * means stay the same, and variances lose the correlations between columns.
 */
import type { BinaryReader } from '../codec/binary-reader.ts';
import type { BinaryWriter } from '../codec/binary-writer.ts';
import { dotSparse, type SparseVector } from '../context/sparse-vector.ts';
import type { Arm } from '../policy.ts';
import type { BayesianArm } from './bayesian-arm.ts';
import { quadraticForm, triangleLength } from './packed-triangle.ts';
import type { RegressionHead } from './regression-head.ts';

/**
 * @param arms arms known to be removed are left out
 * @param rewards pooled mean and unit of numeric rewards; unit 0 (no spread yet) leaves all coefficients 0
 * @param precision 1 / prior variance of a coefficient that an arm has not met
 * @param bytesMax most bytes for covariances
 */
export function writeServingHead(
  writer: BinaryWriter,
  head: RegressionHead,
  arms: readonly Arm[],
  rewards: { readonly center: number; readonly unit: number },
  precision: number,
  bytesMax: number,
): void {
  const indices = servedIndices(head, arms);
  let bytes = 0;
  for (const index of indices) bytes += 4 * triangleLength(head.findArm(index)!.d);
  const isDiagonal = bytes > bytesMax;
  writer.f64(precision).bool(isDiagonal).varint(indices.length);
  for (const index of indices) {
    const arm = head.findArm(index)!;
    const { d, covariance } = arm;
    writer
      .varint(index)
      .f32s(arm.link === 'logistic' ? arm.theta : scaledCoefficients(arm, head.anchor, rewards), d);
    if (isDiagonal)
      writer.f32s(Float64Array.from({ length: d }, (_, i) => covariance[triangleLength(i) + i]!));
    else writer.f32s(covariance, triangleLength(d));
  }
}

function scaledCoefficients(
  arm: BayesianArm,
  anchor: number,
  { center, unit }: { readonly center: number; readonly unit: number },
): Float64Array {
  const scaled = new Float64Array(arm.d);
  if (!(unit > 0)) return scaled;
  for (let i = 0; i < arm.d; i++) scaled[i] = (arm.theta[i]! - (center - anchor) * arm.unit[i]!) / unit;
  return scaled;
}

function servedIndices(head: RegressionHead, arms: readonly Arm[]): number[] {
  const indices: number[] = [];
  for (let i = 0; i < head.nArms; i++) if (head.findArm(i) && arms[i]?.isLive !== false) indices.push(i);
  return indices;
}

/** One arm as it is served. */
export interface ServingArm {
  /** Columns with a coefficient. */
  readonly d: number;
  /** shape [nColumns], zeros from d on, so that every encoded column can be looked up */
  readonly theta: Float32Array;
  /** Packed triangle of d rows, or shape [d] */
  readonly covariance: Float32Array;
}

export interface ServingHead {
  /** 1 / prior variance of a coefficient. */
  readonly precision: number;
  readonly isDiagonal: boolean;
  /** By arm index; arms without trials are missing. */
  readonly arms: ReadonlyMap<number, ServingArm>;
}

/** @param nColumns columns that features can have */
export function readServingHead(reader: BinaryReader, nColumns: number): ServingHead {
  const precision = reader.f64();
  const isDiagonal = reader.bool();
  const nArms = reader.varint();
  const arms = new Map<number, ServingArm>();
  for (let i = 0; i < nArms; i++) {
    const index = reader.varint();
    const stored = reader.f32s();
    const theta = new Float32Array(nColumns);
    theta.set(stored);
    arms.set(index, { d: stored.length, theta, covariance: reader.f32s() });
  }
  return { precision, isDiagonal, arms };
}

/** An arm without trials: its bias at `intercept`, the prior's variance. */
export function untriedArm(nColumns: number, biasColumn: number, intercept: number): ServingArm {
  const theta = new Float32Array(nColumns);
  theta[biasColumn] = intercept;
  return { d: 0, theta, covariance: new Float32Array(0) };
}

/** x'theta. */
export function servedMean(arm: ServingArm, x: SparseVector): number {
  return dotSparse(x, arm.theta);
}

/** x'Px >= 0; columns that the arm has not met have variance 1 / precision. */
export function servedVariance(head: ServingHead, arm: ServingArm, x: SparseVector): number {
  const { columns, values, length } = x;
  let unmet = x.nUnseen;
  let diagonal = 0;
  for (let i = length - 1; i >= 0; i--) {
    const square = values[i]! * values[i]!;
    if (columns[i]! >= arm.d) unmet += square;
    else if (head.isDiagonal) diagonal += square * arm.covariance[columns[i]!]!;
    else break;
  }
  const met = head.isDiagonal ? diagonal : quadraticForm(arm.covariance, arm.d, x);
  return Math.max(0, met + unmet / head.precision);
}
