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
import { RegressionHead } from '../linear/regression-head.ts';
import { ReplayBuffer } from './replay-buffer.ts';
import { WideModel } from './wide-model.ts';

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
  readonly model: WideModel;
  readonly #start: SwapStart;
  /** Trials and corrections folded since; a correction's label is the change of its reward. */
  readonly #queue: ReplayBuffer;
  readonly #isCorrection: boolean[];
  /** Start intercepts of arms that came since. */
  readonly #laterIntercepts: number[] = [];
  readonly #x = new SparseVector(columnsMax);
  #nextRow: number;
  #nextQueued = 0;

  constructor(link: Link, start: SwapStart, queue = new ReplayBuffer(), isCorrection: boolean[] = []) {
    this.model = new WideModel(
      start.networkBytes,
      start.precision,
      [...start.intercepts],
      new RegressionHead(link),
    );
    this.#start = start;
    this.#nextRow = start.rows.firstRow;
    this.#queue = queue;
    this.#isCorrection = isCorrection;
  }

  get nArms(): number {
    return this.model.nArms;
  }

  get isQueueFull(): boolean {
    return this.#queue.isFull;
  }

  get isComplete(): boolean {
    return this.#nextRow >= this.#start.rows.endRow && this.#nextQueued >= this.#queue.endRow;
  }

  addArms(intercepts: readonly number[]): void {
    this.#laterIntercepts.push(...intercepts);
    this.model.addArms(intercepts);
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
    writer.bytes(networkBytes).f64(precision).f64s(intercepts).f64s(this.#laterIntercepts);
    rows.encode(writer);
    this.#queue.encode(writer);
    for (const isCorrection of this.#isCorrection) writer.bool(isCorrection);
  }

  static decode(reader: BinaryReader, link: Link): PendingSwap {
    const networkBytes = reader.bytes().slice();
    const precision = reader.f64();
    const intercepts = [...reader.f64s()];
    const later = reader.f64s();
    const rows = ReplayBuffer.decode(reader);
    const queue = ReplayBuffer.decode(reader);
    const isCorrection = Array.from({ length: queue.endRow }, () => reader.bool());
    const swap = new PendingSwap(link, { networkBytes, rows, precision, intercepts }, queue, isCorrection);
    swap.addArms([...later]);
    return swap;
  }

  #apply(rows: ReplayBuffer, row: number, isCorrection: boolean): void {
    rows.read(row, this.#x);
    if (isCorrection) this.model.correct(rows.armIndex(row), this.#x, rows.label(row));
    else this.model.learn(rows.armIndex(row), this.#x, rows.label(row));
  }
}
