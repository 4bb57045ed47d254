import { BinaryReader } from '../codec/binary-reader.ts';
import { BinaryWriter } from '../codec/binary-writer.ts';
import { SparseVector } from '../context/sparse-vector.ts';
import { drawNormal } from '../draws.ts';
import type { Rng, TrainingJob } from '../policy.ts';
import { createRng } from '../rng.ts';
import { Adam } from './adam.ts';
import { activate, decodeNetwork, encodeNetwork, type Network, nColumnsOf, nHidden } from './network.ts';
import { ReplayBuffer } from './replay-buffer.ts';

const jobKind = 36;
const jobVersion = 1;
const rowsPerStep = 32;
/** Steps of a round: 4,096 sampled rows. */
export const stepsPerRound = 128;
const learningRate = 2e-3;
/** Decoupled weight decay a step, relative to the learning rate. */
const weightDecay = 0.02;

/** What a worker needs. @param network the one to go on from; undefined starts from random weights */
export function encodeTrainingJob(
  rows: ReplayBuffer,
  network: Uint8Array | undefined,
  size: { readonly nColumns: number; readonly nArms: number; readonly isBinary: boolean },
): Uint8Array {
  const writer = new BinaryWriter(65_536).header(jobKind, jobVersion);
  writer.section(1, (body) => body.varint(size.nColumns).varint(size.nArms).bool(size.isBinary));
  writer.section(2, (body) => rows.encode(body));
  if (network) writer.section(3, (body) => body.bytes(network));
  return writer.finish();
}

/**
 * One training round: `nSteps` steps of Adam on rows sampled from the replay buffer. It takes as long as it takes, and
 * gives the same bytes for the same job on the same machine type.
 *
 * Loss on the served arm's output alone: cross-entropy for binary rewards, squared error of standardised values
 * for numeric ones. Pure; run it in a worker thread.
 *
 * @returns weights for `LearnerTraining.beginSwap`
 * @throws RangeError when the payload is not a training job
 */
export function trainNetwork(job: TrainingJob): Uint8Array {
  const reader = new BinaryReader(job.payload);
  reader.header(jobKind, jobVersion);
  const sections = reader.sections();
  const size = sections.get(1);
  const [nColumns, nArms, isBinary] = [size.varint(), size.varint(), size.bool()];
  const rows = ReplayBuffer.decode(sections.get(2));
  const start = sections.find(3);
  const rng = createRng(job.seed);
  const network = grownNetwork(start && decodeNetwork(start.bytes()), nColumns, nArms, meanSquare(rows), rng);
  if (rows.endRow > rows.firstRow) new Training(network, rows, isBinary).run(job.nSteps, rng);
  return encodeNetwork(network);
}

/** Mean x'x of up to 256 rows: sets the size of random start weights. */
function meanSquare(rows: ReplayBuffer): number {
  const x = new SparseVector(256);
  const end = Math.min(rows.endRow, rows.firstRow + 256);
  let sum = 0;
  for (let row = rows.firstRow; row < end; row++) {
    rows.read(row, x);
    for (let i = 0; i < x.length; i++) sum += x.values[i]! ** 2;
  }
  return sum / Math.max(1, end - rows.firstRow);
}

/** Copies known weights; new columns get He-normal ones (He et al. 2015) for inputs of this size, new arms zeros. */
function grownNetwork(
  start: Network | undefined,
  nColumns: number,
  nArms: number,
  square: number,
  rng: Rng,
): Network {
  const hidden = new Float32Array(nColumns * nHidden);
  const output = new Float32Array(nArms * (nHidden + 1));
  const deviation = Math.sqrt(2 / Math.max(1, square));
  for (let i = start ? start.hidden.length : 0; i < hidden.length; i++)
    hidden[i] = deviation * drawNormal(rng);
  if (start) {
    hidden.set(start.hidden.subarray(0, hidden.length));
    output.set(start.output.subarray(0, output.length));
  }
  return { hidden, output };
}

class Training {
  readonly #network: Network;
  readonly #rows: ReplayBuffer;
  readonly #isBinary: boolean;
  readonly #labelMean: number;
  readonly #labelSd: number;
  readonly #x = new SparseVector(256);
  readonly #h = new Float64Array(nHidden);
  readonly #hiddenGradient: Float32Array;
  readonly #outputGradient: Float32Array;

  constructor(network: Network, rows: ReplayBuffer, isBinary: boolean) {
    this.#network = network;
    this.#rows = rows;
    this.#isBinary = isBinary;
    this.#hiddenGradient = new Float32Array(network.hidden.length);
    this.#outputGradient = new Float32Array(network.output.length);
    const { mean, sd } = isBinary ? { mean: 0, sd: 1 } : labelMoments(rows);
    this.#labelMean = mean;
    this.#labelSd = sd;
  }

  run(nSteps: number, rng: Rng): void {
    const hidden = new Adam(this.#network.hidden, learningRate, weightDecay);
    const output = new Adam(this.#network.output, learningRate, weightDecay);
    const { firstRow, endRow } = this.#rows;
    for (let step = 0; step < nSteps; step++) {
      this.#hiddenGradient.fill(0);
      this.#outputGradient.fill(0);
      for (let i = 0; i < rowsPerStep; i++) {
        this.#addGradient(firstRow + Math.floor(rng.uniform() * (endRow - firstRow)));
      }
      hidden.step(this.#hiddenGradient);
      output.step(this.#outputGradient);
    }
  }

  #addGradient(row: number): void {
    const { output } = this.#network;
    this.#rows.read(row, this.#x);
    activate(this.#network, this.#x, this.#h);
    const at = this.#rows.armIndex(row) * (nHidden + 1);
    let sum = output[at + nHidden]!;
    for (let unit = 0; unit < nHidden; unit++) sum += output[at + unit]! * this.#h[unit]!;
    const label = (this.#rows.label(row) - this.#labelMean) / this.#labelSd;
    const error = ((this.#isBinary ? 1 / (1 + Math.exp(-sum)) : sum) - label) / rowsPerStep;
    this.#outputGradient[at + nHidden]! += error;
    for (let unit = 0; unit < nHidden; unit++) {
      const h = this.#h[unit]!;
      this.#outputGradient[at + unit]! += error * h;
      this.#h[unit] = h > 0 ? error * output[at + unit]! : 0;
    }
    this.#addHiddenGradient();
  }

  /** `#h` holds the gradient of each unit's input. */
  #addHiddenGradient(): void {
    const { columns, values, length } = this.#x;
    const gradient = this.#hiddenGradient;
    const nColumns = nColumnsOf(this.#network);
    for (let i = 0; i < length && columns[i]! < nColumns; i++) {
      const start = columns[i]! * nHidden;
      const value = values[i]!;
      for (let unit = 0; unit < nHidden; unit++) gradient[start + unit]! += value * this.#h[unit]!;
    }
  }
}

function labelMoments(rows: ReplayBuffer): { mean: number; sd: number } {
  const n = rows.endRow - rows.firstRow;
  let mean = 0;
  for (let row = rows.firstRow; row < rows.endRow; row++) mean += rows.label(row) / n;
  let variance = 0;
  for (let row = rows.firstRow; row < rows.endRow; row++) variance += (rows.label(row) - mean) ** 2 / n;
  return { mean, sd: variance > 0 ? Math.sqrt(variance) : 1 };
}
