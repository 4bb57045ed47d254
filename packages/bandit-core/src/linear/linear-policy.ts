import { BinaryReader } from '../codec/binary-reader.ts';
import { ContextEncoder, columnsMax } from '../context/context-encoder.ts';
import { SparseVector } from '../context/sparse-vector.ts';
import { readSumsBody, sumsSection } from '../context-free/sums-state.ts';
import type { PolicySpec } from '../options.ts';
import type { Arm, Context, Policy } from '../policy.ts';
import { resolveOptions } from '../resolve-options.ts';
import { type ArmScorer, ContextualPolicy } from './contextual-policy.ts';
import { contextualSettings } from './contextual-settings.ts';
import { HeadScorer } from './head-scorer.ts';
import { linearSections, linearServingKind, linearVersion } from './linear-learner.ts';
import { readServingHead } from './serving-head.ts';

/**
 * @param serving what `encodeServing` of a linear learner returned
 * @param arms by index; arms added since the state was made are served from the prior
 * @throws RangeError for a bad option, weight or state, or when no arm is live
 */
export function prepareLinearPolicy(spec: PolicySpec, serving: Uint8Array, arms: readonly Arm[]): Policy {
  const options = resolveOptions(spec);
  const reader = new BinaryReader(serving);
  reader.header(linearServingKind, linearVersion);
  const sections = reader.sections();
  const sums = readSumsBody(sections.get(sumsSection));
  const encoder = ContextEncoder.read(sections.get(linearSections.encoder));
  const head = readServingHead(sections.get(linearSections.head), encoder.nColumns);
  const settings = contextualSettings(options, sums, arms);
  const scorer = new LinearScorer(encoder, new HeadScorer(head, sums, arms, settings, encoder.nColumns, 0));
  return new ContextualPolicy(settings, scorer);
}

class LinearScorer implements ArmScorer {
  readonly #encoder: ContextEncoder;
  readonly #head: HeadScorer;
  readonly #x = new SparseVector(columnsMax);

  constructor(encoder: ContextEncoder, head: HeadScorer) {
    this.#encoder = encoder;
    this.#head = head;
  }

  score(context: Context | undefined, means: Float64Array): void {
    this.#encoder.encode(context, this.#x);
    this.#head.means(this.#x, means);
  }

  deviation(k: number): number {
    return this.#head.deviation(k, this.#x);
  }

  predictions(): undefined {
    return undefined;
  }
}
