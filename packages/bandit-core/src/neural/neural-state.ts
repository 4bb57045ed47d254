import { BinaryReader } from '../codec/binary-reader.ts';
import { BinaryWriter } from '../codec/binary-writer.ts';
import { ContextEncoder } from '../context/context-encoder.ts';
import {
  emptySums,
  readSumsBody,
  type SumsState,
  sumsSection,
  writeSums,
} from '../context-free/sums-state.ts';
import type { Link } from '../linear/link.ts';
import { RegressionHead } from '../linear/regression-head.ts';
import { ModelRace } from './model-race.ts';
import { PendingSwap } from './pending-swap.ts';
import { ReplayBuffer } from './replay-buffer.ts';
import { WideModel } from './wide-model.ts';

const kind = 33;
const version = 1;
const tags = { encoder: 2, linear: 3, model: 4, rows: 5, race: 6, schedule: 7, pending: 8 } as const;

/** Everything that a neural learner knows; see `NeuralLearner` for who changes what. */
export interface NeuralState {
  sums: SumsState;
  readonly encoder: ContextEncoder;
  readonly linear: RegressionHead;
  model: WideModel | undefined;
  /** The last trials; a row's number is its trial number. */
  readonly rows: ReplayBuffer;
  readonly race: ModelRace;
  /** Trial count at which the next training round is due. */
  nextTraining: number;
  pending: PendingSwap | undefined;
}

export function emptyNeuralState(link: Link, firstTraining: number): NeuralState {
  return {
    sums: emptySums(),
    encoder: new ContextEncoder(),
    linear: new RegressionHead(link),
    model: undefined,
    rows: new ReplayBuffer(),
    race: new ModelRace(),
    nextTraining: firstTraining,
    pending: undefined,
  };
}

export function encodeNeuralState(state: NeuralState): Uint8Array {
  const { model, pending } = state;
  const writer = new BinaryWriter(65_536).header(kind, version);
  writeSums(writer, state.sums);
  writer.section(tags.encoder, (body) => state.encoder.write(body));
  writer.section(tags.linear, (body) => state.linear.encode(body));
  writer.section(tags.rows, (body) => state.rows.encode(body));
  writer.section(tags.race, (body) => state.race.encode(body));
  writer.section(tags.schedule, (body) => body.varint(state.nextTraining));
  if (model) writer.section(tags.model, (body) => model.encode(body));
  if (pending) writer.section(tags.pending, (body) => pending.encode(body));
  return writer.finish();
}

/** @throws RangeError when the bytes are not such a state, or of a version that this code cannot read */
export function decodeNeuralState(bytes: Uint8Array, link: Link): NeuralState {
  const reader = new BinaryReader(bytes);
  reader.header(kind, version);
  const sections = reader.sections();
  const model = sections.find(tags.model);
  const pending = sections.find(tags.pending);
  return {
    sums: readSumsBody(sections.get(sumsSection)),
    encoder: ContextEncoder.read(sections.get(tags.encoder)),
    linear: RegressionHead.decode(sections.get(tags.linear), link),
    model: model && WideModel.decode(model, link),
    rows: ReplayBuffer.decode(sections.get(tags.rows)),
    race: ModelRace.decode(sections.get(tags.race)),
    nextTraining: sections.get(tags.schedule).varint(),
    pending: pending && PendingSwap.decode(pending, link),
  };
}
