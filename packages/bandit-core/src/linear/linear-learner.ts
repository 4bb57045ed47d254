/**
 * Learner of LINEAR_CONTEXTUAL: an encoder, one Bayesian regression an arm, and exact sums.
 *
 * The learner process alone writes it. `fold` first checks and adds up the whole chunk aside; what follows cannot fail,
 * so a throw leaves everything as it was. The model depends on the order of facts: see `planFold` for the order
 * within a chunk. A crash loses what was folded since the last `encode`.
 */
import { BinaryReader } from '../codec/binary-reader.ts';
import { BinaryWriter } from '../codec/binary-writer.ts';
import { ContextEncoder, columnsMax } from '../context/context-encoder.ts';
import { SparseVector } from '../context/sparse-vector.ts';
import { foldSums } from '../context-free/fold-sums.ts';
import {
  emptySums,
  readSumsBody,
  type SumsState,
  sumsSection,
  writeSums,
} from '../context-free/sums-state.ts';
import type { PolicySpec } from '../options.ts';
import type { Arm, ArmSums, Fact, Learner } from '../policy.ts';
import { type ResolvedOptions, resolveOptions } from '../resolve-options.ts';
import { armSumsOf } from './arm-sums.ts';
import { coefficientPrecision } from './coefficient-prior.ts';
import { linkOf, rewardScale, startIntercept } from './contextual-settings.ts';
import { type FoldStep, planFold } from './fold-plan.ts';
import { type FeatureSpace, RegressionHead } from './regression-head.ts';
import { writeServingHead } from './serving-head.ts';

export const linearLearnerKind = 31;
export const linearServingKind = 32;
export const linearVersion = 1;
/** Sections of both states; the sums have their own tag. */
export const linearSections = { encoder: 2, head: 3 } as const;
/** Most bytes of covariances in the serving state; past it their diagonals are sent. */
const covarianceBytesMax = 400_000;

/** @throws RangeError for a bad option */
export function createLinearLearner(spec: PolicySpec): Learner {
  const options = resolveOptions(spec);
  const head = new RegressionHead(linkOf(options));
  return new LinearLearner(options, emptySums(), new ContextEncoder(), head);
}

/** @throws RangeError when the bytes are not such a state, or of a version that this code cannot read */
export function decodeLinearLearner(spec: PolicySpec, bytes: Uint8Array): Learner {
  const options = resolveOptions(spec);
  const reader = new BinaryReader(bytes);
  reader.header(linearLearnerKind, linearVersion);
  const sections = reader.sections();
  return new LinearLearner(
    options,
    readSumsBody(sections.get(sumsSection)),
    ContextEncoder.read(sections.get(linearSections.encoder)),
    RegressionHead.decode(sections.get(linearSections.head), linkOf(options)),
  );
}

class LinearLearner implements Learner {
  readonly #options: ResolvedOptions;
  readonly #encoder: ContextEncoder;
  readonly #head: RegressionHead;
  readonly #x = new SparseVector(columnsMax);
  #sums: SumsState;

  constructor(options: ResolvedOptions, sums: SumsState, encoder: ContextEncoder, head: RegressionHead) {
    this.#options = options;
    this.#sums = sums;
    this.#encoder = encoder;
    this.#head = head;
  }

  get nTrials(): number {
    return this.#sums.nTrials;
  }

  fold(facts: readonly Fact[]): number {
    const firstTrial = this.#sums.nTrials;
    const steps = planFold(facts);
    const sums = foldSums(this.#sums, facts, this.#options);
    for (const step of steps) this.#apply(step);
    this.#sums = sums;
    return firstTrial;
  }

  sums(): ArmSums[] {
    return armSumsOf(this.#sums);
  }

  encode(): Uint8Array {
    const writer = new BinaryWriter(4096).header(linearLearnerKind, linearVersion);
    writeSums(writer, this.#sums);
    writer.section(linearSections.encoder, (body) => this.#encoder.write(body));
    return writer.section(linearSections.head, (body) => this.#head.encode(body)).finish();
  }

  encodeServing(arms: readonly Arm[], _nTrialsSinceLast: number): Uint8Array {
    const scale = rewardScale(this.#sums, arms, this.#options);
    const writer = new BinaryWriter(4096).header(linearServingKind, linearVersion);
    writeSums(writer, this.#sums);
    writer.section(linearSections.encoder, (body) => this.#encoder.write(body));
    writer.section(linearSections.head, (body) =>
      writeServingHead(body, this.#head, arms, scale, this.#space().precision, covarianceBytesMax),
    );
    return writer.finish();
  }

  #apply(step: FoldStep): void {
    const { armIndex, context } = step.fact;
    if (step.kind === 'trial') this.#encoder.observe(context);
    this.#encoder.encode(context, this.#x);
    const space = this.#space();
    if (step.kind === 'trial') {
      this.#head.learn(armIndex, this.#x, space, step.label, this.#intercept(armIndex));
    } else {
      this.#head.correct(armIndex, this.#x, space, step.fact.previous, step.fact.reward);
    }
  }

  #space(): FeatureSpace {
    const precision = coefficientPrecision(this.#options.regularization, this.#encoder.meanEntries);
    return { nColumns: this.#encoder.nColumns, biasColumn: 0, precision };
  }

  /** By the sums before this chunk: a new arm's own first rewards do not set where it starts. */
  #intercept(armIndex: number): number {
    const isTried = this.#head.findArm(armIndex) !== undefined;
    return isTried || this.#head.link === 'identity' ? 0 : startIntercept(this.#sums, armIndex, () => true);
  }
}
