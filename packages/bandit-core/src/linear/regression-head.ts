import type { BinaryReader } from '../codec/binary-reader.ts';
import type { BinaryWriter } from '../codec/binary-writer.ts';
import type { SparseVector } from '../context/sparse-vector.ts';
import { BayesianArm } from './bayesian-arm.ts';
import type { Link } from './link.ts';

/** What is known of the features at one moment. */
export interface FeatureSpace {
  /** Columns that features can have now; it only grows. */
  readonly nColumns: number;
  /** Column of the constant 1. */
  readonly biasColumn: number;
  /** 1 / prior variance of the coefficient of a column that an arm meets now. */
  readonly precision: number;
}

/**
 * One Bayesian regression an arm, over features that the caller encodes. An arm is created at its first trial.
 * Numeric rewards are learned relative to `anchor`, the first reward that is not 0: values such as 10^12 +- 1 keep
 * their digits. The change of anchor is exact, because every arm also learns the response to a constant.
 */
export class RegressionHead {
  readonly link: Link;
  #anchor = 0;
  #arms: (BayesianArm | undefined)[] = [];

  constructor(link: Link) {
    this.link = link;
  }

  /** What numeric rewards are measured from; 0 for the logistic link. */
  get anchor(): number {
    return this.#anchor;
  }

  /** Arm indices seen so far are below it. */
  get nArms(): number {
    return this.#arms.length;
  }

  /** The arm's model; undefined before its first trial. */
  findArm(armIndex: number): BayesianArm | undefined {
    return this.#arms[armIndex];
  }

  /** Learns one trial. @param start where the arm's bias starts if this is its first */
  learn(armIndex: number, x: SparseVector, space: FeatureSpace, reward: number, start: number): void {
    if (this.link === 'identity' && this.#anchor === 0 && reward !== 0) this.#setAnchor(reward);
    const arm = this.#arms[armIndex] ?? this.#createArm(armIndex, space, start);
    arm.grow(space.nColumns, space.precision);
    arm.learn(x, reward - this.#anchor);
  }

  /** A trial learned with one reward turns out to have another. Without a model of the arm there is nothing to correct. */
  correct(armIndex: number, x: SparseVector, space: FeatureSpace, previous: number, reward: number): void {
    if (this.link === 'identity' && this.#anchor === 0 && reward !== 0) this.#setAnchor(reward);
    const arm = this.#arms[armIndex];
    if (!arm) return;
    arm.grow(space.nColumns, space.precision);
    arm.correct(x, reward - previous);
  }

  encode(writer: BinaryWriter): void {
    writer.f64(this.#anchor).varint(this.#arms.length);
    for (let i = 0; i < this.#arms.length; i++) {
      const arm = this.#arms[i];
      writer.bool(arm !== undefined);
      arm?.encode(writer);
    }
  }

  static decode(reader: BinaryReader, link: Link): RegressionHead {
    const head = new RegressionHead(link);
    head.#anchor = reader.f64();
    const nArms = reader.varint();
    for (let i = 0; i < nArms; i++) {
      head.#arms.push(reader.bool() ? BayesianArm.decode(reader, link) : undefined);
    }
    return head;
  }

  #createArm(armIndex: number, space: FeatureSpace, start: number): BayesianArm {
    while (this.#arms.length < armIndex) this.#arms.push(undefined);
    const arm = new BayesianArm(this.link);
    arm.grow(space.nColumns, space.precision);
    if (this.link === 'logistic') arm.theta[space.biasColumn] = start;
    this.#arms[armIndex] = arm;
    return arm;
  }

  /** Every reward so far was 0, so each arm's coefficients are those of the constant -anchor. */
  #setAnchor(anchor: number): void {
    this.#anchor = anchor;
    for (const arm of this.#arms) {
      if (!arm) continue;
      for (let i = 0; i < arm.d; i++) arm.theta[i]! -= anchor * arm.unit[i]!;
    }
  }
}
