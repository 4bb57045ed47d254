/**
 * A network being taken in: heads are refitted on the replay rows of the moment it began, then take what was folded since.
 *
 * Begun by the learner's `beginSwap`, worked on by `refitSlice`, and thrown away when complete. Its result depends on
 * the moment it began and the facts folded since, never on how the work was cut into slices; a decoded one starts its
 * work again and arrives at the same heads. Facts folded meanwhile wait in a queue of one buffer's size; the learner
 * finishes the swap at once when that is full.
 */
import type { BinaryReader } from '../codec/binary-reader.ts';
import type { BinaryWriter } from '../codec/binary-writer.ts';
import { columnsMax } from '../context/context-encoder.ts';
import { SparseVector } from '../context/sparse-vector.ts';
import type { Link } from '../linear/link.ts';
import { type FeatureSpace, RegressionHead } from '../linear/regression-head.ts';
import { decodeNetwork, type Network, nHidden, wideFeatures } from './network.ts';
import { ReplayBuffer } from './replay-buffer.ts';

/** What a swap begins from. */
export interface SwapStart {
  readonly networkBytes: Uint8Array;
  /** A copy: later labels do not enter it. */
  readonly rows: ReplayBuffer;
  /** Prior precision of the heads' coefficients. */
  readonly precision: number;
  /** Where each arm's bias starts, by arm index. */
  readonly intercepts: readonly number[];
}

export class PendingSwap {
  readonly network: Network;
  readonly head: RegressionHead;
  readonly #start: SwapStart;
  /** Trials and corrections folded since; a correction's label is the change of its reward. */
  readonly #queue: ReplayBuffer;
  readonly #isCorrection: boolean[];
  readonly #x = new SparseVector(columnsMax);
  readonly #features = new SparseVector(nHidden + columnsMax);
  #nextRow: number;
  #nextQueued = 0;

  constructor(link: Link, start: SwapStart, queue = new ReplayBuffer(), isCorrection: boolean[] = []) {
    this.network = decodeNetwork(start.networkBytes);
    this.head = new RegressionHead(link);
    this.#start = start;
    this.#nextRow = start.rows.firstRow;
    this.#queue = queue;
    this.#isCorrection = isCorrection;
  }

  get networkBytes(): Uint8Array {
    return this.#start.networkBytes;
  }

  get isQueueFull(): boolean {
    return this.#queue.isFull;
  }

  get isComplete(): boolean {
    return this.#nextRow >= this.#start.rows.endRow && this.#nextQueued >= this.#queue.endRow;
  }

  addTrial(armIndex: number, x: SparseVector, label: number): void {
    this.#queue.push(armIndex, label, x);
    this.#isCorrection.push(false);
  }

  addCorrection(armIndex: number, x: SparseVector, change: number): void {
    this.#queue.push(armIndex, change, x);
    this.#isCorrection.push(true);
  }

  /** Refits on at most `nRows` further rows. */
  advance(nRows: number): void {
    for (let i = 0; i < nRows && !this.isComplete; i++) {
      if (this.#nextRow < this.#start.rows.endRow) this.#apply(this.#start.rows, this.#nextRow++, false);
      else this.#apply(this.#queue, this.#nextQueued, this.#isCorrection[this.#nextQueued++]!);
    }
  }

  encode(writer: BinaryWriter): void {
    const { networkBytes, rows, precision, intercepts } = this.#start;
    writer.bytes(networkBytes).f64(precision).f64s(intercepts);
    rows.encode(writer);
    this.#queue.encode(writer);
    for (const isCorrection of this.#isCorrection) writer.bool(isCorrection);
  }

  static decode(reader: BinaryReader, link: Link): PendingSwap {
    const networkBytes = reader.bytes().slice();
    const precision = reader.f64();
    const intercepts = [...reader.f64s()];
    const rows = ReplayBuffer.decode(reader);
    const queue = ReplayBuffer.decode(reader);
    const isCorrection = Array.from({ length: queue.endRow }, () => reader.bool());
    return new PendingSwap(link, { networkBytes, rows, precision, intercepts }, queue, isCorrection);
  }

  /** The columns a row itself needs: independent of what the encoder knows when the slice runs. */
  #apply(rows: ReplayBuffer, row: number, isCorrection: boolean): void {
    rows.read(row, this.#x);
    wideFeatures(this.network, this.#x, this.#features);
    const armIndex = rows.armIndex(row);
    const label = rows.label(row);
    const lastColumn = this.#x.columns[this.#x.length - 1]!;
    const nColumns = nHidden + Math.max(lastColumn + 1, this.network.hidden.length / nHidden);
    const space: FeatureSpace = { nColumns, biasColumn: nHidden, precision: this.#start.precision };
    if (isCorrection) this.head.correct(armIndex, this.#features, space, 0, label);
    else this.head.learn(armIndex, this.#features, space, label, this.#start.intercepts[armIndex] ?? 0);
  }
}
