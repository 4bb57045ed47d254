import type { BinaryReader } from '../codec/binary-reader.ts';
import type { BinaryWriter } from '../codec/binary-writer.ts';
import type { SparseVector } from '../context/sparse-vector.ts';

/** Most rows, and most entries of all rows together: under 1 MB. */
export const replayRowsMax = 4096;
const entriesMax = 2 ** 18;
/** Entries are kept in steps of 1/2048 within +-16: ones are exact, standardised numbers within .0003. */
const perUnit = 2048;

/**
 * The last encoded trials, oldest first out, as rings of fixed size. Rows are known by number: they are
 * counted from 0 over the buffer's life, and `firstRow` … `endRow - 1` are there.
 */
export class ReplayBuffer {
  readonly #columns = new Uint8Array(entriesMax);
  readonly #values = new Int16Array(entriesMax);
  /** Running number of each row's first entry; its place is that modulo `entriesMax`. */
  readonly #starts = new Float64Array(replayRowsMax);
  readonly #arms = new Uint16Array(replayRowsMax);
  readonly #labels = new Float64Array(replayRowsMax);
  #firstRow = 0;
  #endRow = 0;
  #endEntry = 0;

  get firstRow(): number {
    return this.#firstRow;
  }

  get endRow(): number {
    return this.#endRow;
  }

  /** True when one more row of up to 256 entries could push an old one out. */
  get isFull(): boolean {
    return this.#endRow - this.#firstRow >= replayRowsMax || this.#nEntries + 256 > entriesMax;
  }

  get #nEntries(): number {
    return this.#endRow > this.#firstRow ? this.#endEntry - this.#starts[this.#firstRow % replayRowsMax]! : 0;
  }

  /** @param armIndex 0 … 65,535 */
  push(armIndex: number, label: number, x: SparseVector): void {
    while (this.#endRow - this.#firstRow >= replayRowsMax || this.#nEntries + x.length > entriesMax)
      this.#firstRow++;
    const slot = this.#endRow++ % replayRowsMax;
    this.#starts[slot] = this.#endEntry;
    this.#arms[slot] = armIndex;
    this.#labels[slot] = label;
    for (let i = 0; i < x.length; i++) {
      const at = this.#endEntry++ % entriesMax;
      this.#columns[at] = x.columns[i]!;
      this.#values[at] = steps(x.values[i]!);
    }
  }

  /** Rows that have gone are left alone. */
  setLabel(row: number, label: number): void {
    if (row >= this.#firstRow && row < this.#endRow) this.#labels[row % replayRowsMax] = label;
  }

  armIndex(row: number): number {
    return this.#arms[row % replayRowsMax]!;
  }

  label(row: number): number {
    return this.#labels[row % replayRowsMax]!;
  }

  /** Writes a row's entries into `into` (capacity >= 256). */
  read(row: number, into: SparseVector): void {
    into.clear();
    const start = this.#starts[row % replayRowsMax]!;
    const end = row + 1 < this.#endRow ? this.#starts[(row + 1) % replayRowsMax]! : this.#endEntry;
    for (let entry = start; entry < end; entry++) {
      const at = entry % entriesMax;
      into.append(this.#columns[at]!, this.#values[at]! / perUnit);
    }
  }

  clone(): ReplayBuffer {
    const copy = new ReplayBuffer();
    copy.#columns.set(this.#columns);
    copy.#values.set(this.#values);
    copy.#starts.set(this.#starts);
    copy.#arms.set(this.#arms);
    copy.#labels.set(this.#labels);
    copy.#firstRow = this.#firstRow;
    copy.#endRow = this.#endRow;
    copy.#endEntry = this.#endEntry;
    return copy;
  }

  encode(writer: BinaryWriter): void {
    writer.varint(this.#firstRow).varint(this.#endRow);
    const labels = new Float64Array(this.#endRow - this.#firstRow);
    const nEntries = this.#nEntries;
    for (let row = this.#firstRow; row < this.#endRow; row++) {
      const next = row + 1 < this.#endRow ? this.#starts[(row + 1) % replayRowsMax]! : this.#endEntry;
      writer.varint(this.armIndex(row)).varint(next - this.#starts[row % replayRowsMax]!);
      labels[row - this.#firstRow] = this.label(row);
    }
    const columns = new Uint8Array(nEntries);
    const values = new DataView(new ArrayBuffer(2 * nEntries));
    for (let i = 0; i < nEntries; i++) {
      const at = (this.#endEntry - nEntries + i) % entriesMax;
      columns[i] = this.#columns[at]!;
      values.setInt16(2 * i, this.#values[at]!, true);
    }
    writeLabels(writer, labels);
    writer.bytes(columns).bytes(new Uint8Array(values.buffer));
  }

  static decode(reader: BinaryReader): ReplayBuffer {
    const buffer = new ReplayBuffer();
    buffer.#firstRow = reader.varint();
    buffer.#endRow = reader.varint();
    const nRows = buffer.#endRow - buffer.#firstRow;
    if (!(nRows >= 0 && nRows <= replayRowsMax))
      throw new RangeError(`replay must have 0 to ${replayRowsMax} rows, got ${nRows}`);
    for (let row = buffer.#firstRow; row < buffer.#endRow; row++) {
      buffer.#arms[row % replayRowsMax] = reader.varint();
      buffer.#starts[row % replayRowsMax] = buffer.#endEntry;
      buffer.#endEntry += reader.varint();
    }
    const labels = readLabels(reader, nRows);
    for (let i = 0; i < nRows; i++) buffer.setLabel(buffer.#firstRow + i, labels[i]!);
    buffer.#readEntries(reader.bytes(), reader.bytes());
    return buffer;
  }

  #readEntries(columns: Uint8Array, values: Uint8Array): void {
    const n = columns.length;
    if (n > entriesMax || n !== this.#endEntry || values.length !== 2 * n) {
      throw new RangeError(`replay must have ${this.#endEntry} entries, got ${n}`);
    }
    const view = new DataView(values.buffer, values.byteOffset, values.byteLength);
    this.#columns.set(columns);
    for (let i = 0; i < n; i++) this.#values[i] = view.getInt16(2 * i, true);
  }
}

/** Rounds the entries as the buffer keeps them, so that a row learned at once and one read back are the same. */
export function quantise(x: SparseVector): void {
  const { length } = x;
  x.length = 0;
  for (let i = 0; i < length; i++) x.append(x.columns[i]!, steps(x.values[i]!) / perUnit);
}

function steps(value: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(value * perUnit)));
}

/** Labels of 0 and 1 take a bit each, others eight bytes. */
function writeLabels(writer: BinaryWriter, labels: Float64Array): void {
  const isBinary = labels.every((label) => Object.is(label, 0) || label === 1);
  writer.bool(isBinary);
  if (!isBinary) {
    writer.f64s(labels);
    return;
  }
  const bits = new Uint8Array(Math.ceil(labels.length / 8));
  labels.forEach((label, i) => {
    bits[i >> 3]! |= label << (i & 7);
  });
  writer.bytes(bits);
}

function readLabels(reader: BinaryReader, nRows: number): Float64Array {
  if (!reader.bool()) return reader.f64s();
  const bits = reader.bytes();
  return Float64Array.from({ length: nRows }, (_, i) => (bits[i >> 3]! >> (i & 7)) & 1);
}
