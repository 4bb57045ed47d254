/**
 * Symmetric matrices as their packed lower triangle: entry (i, j), j <= i, at i (i + 1) / 2 + j. A matrix grows by
 * appending rows; nothing moves. The functions below are all that a Bayesian regression needs.
 */
import type { SparseVector } from '../context/sparse-vector.ts';

/** Entries of a packed d x d matrix. */
export function triangleLength(d: number): number {
  return (d * (d + 1)) / 2;
}

/**
 * x'Px over the non-zero entries of x, x.length^2 / 2 multiplications.
 *
 * @param d rows of P that there are; entries of x at or past it are left out
 */
export function quadraticForm(matrix: Float64Array | Float32Array, d: number, x: SparseVector): number {
  const { columns, values, length } = x;
  let sum = 0;
  for (let a = 0; a < length; a++) {
    const i = columns[a]!;
    if (i >= d) break;
    const row = (i * (i + 1)) / 2;
    let half = 0;
    for (let b = 0; b < a; b++) half += matrix[row + columns[b]!]! * values[b]!;
    sum += values[a]! * (2 * half + matrix[row + i]! * values[a]!);
  }
  return sum;
}

/** out[0 … d-1] = P x: column by column of x, or, where half of its entries or more are there, in one pass over P. */
export function multiplySparse(matrix: Float64Array, d: number, x: SparseVector, out: Float64Array): void {
  if (2 * x.length >= d) multiplyDense(matrix, d, x, out);
  else multiplyColumns(matrix, d, x, out);
}

function multiplyColumns(matrix: Float64Array, d: number, x: SparseVector, out: Float64Array): void {
  const { columns, values, length } = x;
  out.fill(0, 0, d);
  for (let a = 0; a < length; a++) {
    const j = columns[a]!;
    const value = values[a]!;
    const row = (j * (j + 1)) / 2;
    for (let i = 0; i <= j; i++) out[i]! += matrix[row + i]! * value;
    for (let i = j + 1, at = row + j + j + 1; i < d; i++, at += i) out[i]! += matrix[at]! * value;
  }
}

const dense = new Float64Array(1024);

/** Reads each entry of the triangle once, in the order of memory: 100 full columns take 5 us instead of 8. */
function multiplyDense(matrix: Float64Array, d: number, x: SparseVector, out: Float64Array): void {
  dense.fill(0, 0, d);
  out.fill(0, 0, d);
  for (let a = 0; a < x.length; a++) dense[x.columns[a]!] = x.values[a]!;
  let at = 0;
  for (let i = 0; i < d; i++) {
    const value = dense[i]!;
    let sum = 0;
    for (let j = 0; j < i; j++, at++) {
      const entry = matrix[at]!;
      sum += entry * dense[j]!;
      out[j]! += entry * value;
    }
    out[i] = sum + matrix[at++]! * value;
  }
}

/** P <- P - factor y y', over the first d rows. */
export function downdate(matrix: Float64Array, d: number, y: Float64Array, factor: number): void {
  let at = 0;
  for (let i = 0; i < d; i++) {
    const scaled = factor * y[i]!;
    if (scaled === 0) {
      at += i + 1;
      continue;
    }
    for (let j = 0; j <= i; j++) matrix[at++]! -= scaled * y[j]!;
  }
}
