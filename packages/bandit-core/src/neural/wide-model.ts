import type { BinaryReader } from '../codec/binary-reader.ts';
import type { BinaryWriter } from '../codec/binary-writer.ts';
import { columnsMax } from '../context/context-encoder.ts';
import { SparseVector } from '../context/sparse-vector.ts';
import type { Link } from '../linear/link.ts';
import { RegressionHead } from '../linear/regression-head.ts';
import { decodeNetwork, type Network, nHidden, wideFeatures } from './network.ts';

/**
 * A trained network with the Bayesian heads over its features [3 h / 8, x]. What a trial or a correction does to it
 * depends on its arguments and what it learned before, on nothing else: a queued fact and one learned at once give
 * the same heads bit for bit. So prior precision and start intercepts are those of the moment the swap began.
 */
export class WideModel {
  readonly networkBytes: Uint8Array;
  readonly network: Network;
  readonly head: RegressionHead;
  readonly #precision: number;
  /** Where each arm's bias starts, by arm index. */
  readonly #intercepts: number[];
  readonly #features = new SparseVector(nHidden + columnsMax);

  /** @param precision prior precision of a coefficient; @param intercepts by arm index */
  constructor(networkBytes: Uint8Array, precision: number, intercepts: number[], head: RegressionHead) {
    this.networkBytes = networkBytes;
    this.network = decodeNetwork(networkBytes);
    this.#precision = precision;
    this.#intercepts = intercepts;
    this.head = head;
  }

  /** Arm indices below it have a start intercept. */
  get nArms(): number {
    return this.#intercepts.length;
  }

  /** Notes where new arms start, in the order of their indices. */
  addArms(intercepts: readonly number[]): void {
    this.#intercepts.push(...intercepts);
  }

  learn(armIndex: number, x: SparseVector, label: number): void {
    const space = this.#prepare(x);
    this.head.learn(armIndex, this.#features, space, label, this.#intercepts[armIndex]!);
  }

  /** @param change new minus old reward of a trial learned before */
  correct(armIndex: number, x: SparseVector, change: number): void {
    const space = this.#prepare(x);
    this.head.correct(armIndex, this.#features, space, 0, change);
  }

  encode(writer: BinaryWriter): void {
    writer.bytes(this.networkBytes).f64(this.#precision).f64s(this.#intercepts);
    this.head.encode(writer);
  }

  static decode(reader: BinaryReader, link: Link): WideModel {
    const networkBytes = reader.bytes().slice();
    const precision = reader.f64();
    const intercepts = [...reader.f64s()];
    return new WideModel(networkBytes, precision, intercepts, RegressionHead.decode(reader, link));
  }

  #prepare(x: SparseVector): { nColumns: number; biasColumn: number; precision: number } {
    wideFeatures(this.network, x, this.#features);
    const nColumns = this.#features.columns[this.#features.length - 1]! + 1;
    return { nColumns, biasColumn: nHidden, precision: this.#precision };
  }
}
