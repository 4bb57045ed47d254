import { BinaryReader } from '../codec/binary-reader.ts';
import { BinaryWriter } from '../codec/binary-writer.ts';
import { ContextEncoder } from '../context/context-encoder.ts';
import { readSumsBody, type SumsState, sumsSection, writeSums } from '../context-free/sums-state.ts';
import { readServingHead, type ServingHead, writeServingHead } from '../linear/serving-head.ts';
import type { Arm } from '../policy.ts';
import { decodeNetwork, type Network, nHidden } from './network.ts';
import type { NeuralState } from './neural-state.ts';

const kind = 34;
const version = 1;
const tags = { encoder: 2, linear: 3, neural: 4, network: 5, rewards: 6 } as const;
/** Most bytes of covariances; past it their diagonals are sent. The model that is not served sends diagonals only. */
const covarianceBytesMax = 320_000;

/** Pooled mean and 3 pooled s.d. of numeric rewards. */
export interface RewardUnit {
  readonly center: number;
  readonly unit: number;
}

export interface NeuralServing {
  readonly sums: SumsState;
  readonly encoder: ContextEncoder;
  readonly linear: ServingHead;
  readonly neural: { readonly network: Network; readonly head: ServingHead } | undefined;
  readonly isNeuralServed: boolean;
  readonly rewards: RewardUnit;
}

export function encodeNeuralServing(
  { sums, encoder, linear, model, race }: NeuralState,
  arms: readonly Arm[],
  rewards: RewardUnit,
  precision: number,
): Uint8Array {
  const isNeuralServed = model !== undefined && race.isNeuralAhead;
  const writer = new BinaryWriter(65_536).header(kind, version);
  writeSums(writer, sums);
  writer.section(tags.encoder, (body) => encoder.write(body));
  writer.section(tags.rewards, (body) => body.f64(rewards.center).f64(rewards.unit).bool(isNeuralServed));
  const linearBytes = isNeuralServed ? 0 : covarianceBytesMax;
  writer.section(tags.linear, (body) =>
    writeServingHead(body, linear, arms, rewards, precision, linearBytes),
  );
  if (!model) return writer.finish();
  const neuralBytes = isNeuralServed ? covarianceBytesMax : 0;
  writer.section(tags.network, (body) => body.bytes(model.networkBytes));
  writer.section(tags.neural, (body) =>
    writeServingHead(body, model.head, arms, rewards, precision, neuralBytes),
  );
  return writer.finish();
}

/** @throws RangeError when the bytes are not such a state, or of a version that this code cannot read */
export function decodeNeuralServing(bytes: Uint8Array): NeuralServing {
  const reader = new BinaryReader(bytes);
  reader.header(kind, version);
  const sections = reader.sections();
  const encoder = ContextEncoder.read(sections.get(tags.encoder));
  const rewards = sections.get(tags.rewards);
  const [center, unit, isNeuralServed] = [rewards.f64(), rewards.f64(), rewards.bool()];
  const network = sections.find(tags.network);
  return {
    sums: readSumsBody(sections.get(sumsSection)),
    encoder,
    linear: readServingHead(sections.get(tags.linear), encoder.nColumns),
    neural: network && {
      network: decodeNetwork(network.bytes()),
      head: readServingHead(sections.get(tags.neural), nHidden + encoder.nColumns),
    },
    isNeuralServed,
    rewards: { center, unit },
  };
}
