/**
 * The non-zero entries of an encoded context, reused from request to request: columns strictly ascending, column 0
 * the bias. `nUnseen` counts one-hot entries that have no column yet: their coefficients are 0 and their prior
 * variance is that of one coefficient each.
 */
export class SparseVector {
  readonly columns: Int32Array;
  readonly values: Float64Array;
  length = 0;
  nUnseen = 0;

  /** @param capacity most entries it can hold */
  constructor(capacity: number) {
    this.columns = new Int32Array(capacity);
    this.values = new Float64Array(capacity);
  }

  clear(): void {
    this.length = 0;
    this.nUnseen = 0;
  }

  /** Inserts an entry at its place; equal columns must not be inserted twice. Zeros are left out. */
  insert(column: number, value: number): void {
    if (value === 0) return;
    const { columns, values } = this;
    let at = this.length++;
    while (at > 0 && columns[at - 1]! > column) {
      columns[at] = columns[at - 1]!;
      values[at] = values[at - 1]!;
      at--;
    }
    columns[at] = column;
    values[at] = value;
  }

  /** Appends an entry whose column is above all others. Zeros are left out. */
  append(column: number, value: number): void {
    if (value === 0) return;
    this.columns[this.length] = column;
    this.values[this.length++] = value;
  }
}

/** x'theta over the non-zero entries. @param offset position of column 0 in `theta` */
export function dotSparse(x: SparseVector, theta: ArrayLike<number>, offset = 0): number {
  const { columns, values, length } = x;
  let sum = 0;
  for (let i = 0; i < length; i++) sum += values[i]! * theta[offset + columns[i]!]!;
  return sum;
}
