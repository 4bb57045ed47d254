import { BinaryReader } from '../codec/binary-reader.ts';
import { BinaryWriter } from '../codec/binary-writer.ts';
import type { SparseVector } from '../context/sparse-vector.ts';

/** Hidden units. */
export const nHidden = 64;
/** Hidden features are served as 3 h / sqrt(64): about the size of a standardised column. */
const featureScale = 3 / Math.sqrt(nHidden);
const networkKind = 35;
const networkVersion = 1;

/**
 * One hidden layer of 64 ReLU over the encoded context, and per arm an output that only training uses. Weights are
 * float32, so that learner, worker and serving compute the same. Columns and arms that came after training have none.
 */
export interface Network {
  /** shape [nColumns, nHidden], row by row: the weights of one column lie together */
  readonly hidden: Float32Array;
  /** shape [nArms, nHidden + 1]: output weights and bias */
  readonly output: Float32Array;
}

export function nColumnsOf(network: Network): number {
  return network.hidden.length / nHidden;
}

export function encodeNetwork({ hidden, output }: Network): Uint8Array {
  return new BinaryWriter(4096)
    .header(networkKind, networkVersion)
    .section(1, (body) => body.varint(nHidden).f32s(hidden))
    .section(2, (body) => body.f32s(output))
    .finish();
}

/** @throws RangeError when the bytes are not a network of 64 hidden units, or a weight is not finite */
export function decodeNetwork(bytes: Uint8Array): Network {
  const reader = new BinaryReader(bytes);
  reader.header(networkKind, networkVersion);
  const sections = reader.sections();
  const body = sections.get(1);
  const width = body.varint();
  const hidden = body.f32s();
  const output = sections.get(2).f32s();
  if (width !== nHidden || hidden.length % nHidden !== 0 || output.length % (nHidden + 1) !== 0) {
    throw new RangeError(
      `network must have ${nHidden} hidden units, got ${width} and ${hidden.length} weights`,
    );
  }
  const bad = [...hidden, ...output].find((weight) => !Number.isFinite(weight));
  if (bad !== undefined) throw new RangeError(`network weights must be finite, got ${bad}`);
  return { hidden, output };
}

/** out[0 … 63] = max(0, W x). */
export function activate({ hidden }: Network, x: SparseVector, out: Float64Array): void {
  const { columns, values, length } = x;
  const nColumns = hidden.length / nHidden;
  out.fill(0, 0, nHidden);
  for (let i = 0; i < length && columns[i]! < nColumns; i++) {
    const row = columns[i]! * nHidden;
    const value = values[i]!;
    for (let unit = 0; unit < nHidden; unit++) out[unit]! += value * hidden[row + unit]!;
  }
  for (let unit = 0; unit < nHidden; unit++) if (!(out[unit]! > 0)) out[unit] = 0;
}

const activations = new Float64Array(nHidden);

/**
 * Features of the neural head: [3 h / 8, x], the bias of x at column 64.
 *
 * @param into capacity >= 64 + x.length, becomes the features
 */
export function wideFeatures(network: Network, x: SparseVector, into: SparseVector): void {
  activate(network, x, activations);
  into.clear();
  for (let unit = 0; unit < nHidden; unit++) into.append(unit, featureScale * activations[unit]!);
  for (let i = 0; i < x.length; i++) into.append(nHidden + x.columns[i]!, x.values[i]!);
  into.nUnseen = x.nUnseen;
}
