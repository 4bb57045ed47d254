import { type ContextEncoder, columnsMax } from '../context/context-encoder.ts';
import { SparseVector } from '../context/sparse-vector.ts';
import { type ArmScorer, ContextualPolicy } from '../linear/contextual-policy.ts';
import { contextualSettings } from '../linear/contextual-settings.ts';
import { HeadScorer } from '../linear/head-scorer.ts';
import { sigmoid } from '../linear/link.ts';
import type { PolicySpec } from '../options.ts';
import type { Arm, Context, Policy } from '../policy.ts';
import { resolveOptions } from '../resolve-options.ts';
import { type Network, nHidden, wideFeatures } from './network.ts';
import { decodeNeuralServing } from './neural-serving.ts';

/**
 * @param serving what `encodeServing` of a neural learner returned
 * @param arms by index; arms added since the state was made are served from the prior
 * @throws RangeError for a bad option, weight or state, or when no arm is live
 */
export function prepareNeuralPolicy(spec: PolicySpec, serving: Uint8Array, arms: readonly Arm[]): Policy {
  const options = resolveOptions(spec);
  const { sums, encoder, linear, neural, isNeuralServed, rewards } = decodeNeuralServing(serving);
  const settings = contextualSettings(options, sums, arms);
  const linearScorer = new HeadScorer(linear, sums, arms, settings, encoder.nColumns, 0);
  const toReward =
    settings.link === 'logistic' ? sigmoid : (mean: number) => rewards.center + rewards.unit * mean;
  const wide = neural && {
    network: neural.network,
    scorer: new HeadScorer(neural.head, sums, arms, settings, nHidden + encoder.nColumns, nHidden),
  };
  return new ContextualPolicy(
    settings,
    new NeuralScorer(encoder, linearScorer, wide, isNeuralServed, toReward),
  );
}

interface WideModel {
  readonly network: Network;
  readonly scorer: HeadScorer;
}

class NeuralScorer implements ArmScorer {
  readonly #encoder: ContextEncoder;
  readonly #linear: HeadScorer;
  readonly #wide: WideModel | undefined;
  readonly #isNeuralServed: boolean;
  readonly #toReward: (mean: number) => number;
  readonly #x = new SparseVector(columnsMax);
  readonly #features = new SparseVector(nHidden + columnsMax);

  constructor(
    encoder: ContextEncoder,
    linear: HeadScorer,
    wide: WideModel | undefined,
    isNeuralServed: boolean,
    toReward: (mean: number) => number,
  ) {
    this.#encoder = encoder;
    this.#linear = linear;
    this.#wide = wide;
    this.#isNeuralServed = isNeuralServed;
    this.#toReward = toReward;
  }

  score(context: Context | undefined, means: Float64Array): void {
    this.#encoder.encode(context, this.#x);
    if (this.#wide) wideFeatures(this.#wide.network, this.#x, this.#features);
    if (this.#wide && this.#isNeuralServed) this.#wide.scorer.means(this.#features, means);
    else this.#linear.means(this.#x, means);
  }

  deviation(k: number): number {
    if (this.#wide && this.#isNeuralServed) return this.#wide.scorer.deviation(k, this.#features);
    return this.#linear.deviation(k, this.#x);
  }

  /** [linear, neural] expected reward; undefined before the first network. */
  predictions(k: number): readonly number[] | undefined {
    if (!this.#wide) return undefined;
    const means = [this.#linear.mean(k, this.#x), this.#wide.scorer.mean(k, this.#features)];
    return means.map(this.#toReward);
  }
}
