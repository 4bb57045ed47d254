import type { BinaryReader } from '../codec/binary-reader.ts';
import type { BinaryWriter } from '../codec/binary-writer.ts';
import type { SparseVector } from '../context/sparse-vector.ts';
import { BayesianArm } from './bayesian-arm.ts';
import type { Link } from './link.ts';

/**
 * One Bayesian regression an arm, over features that the caller encodes. An arm is created at its first trial.
 * Numeric rewards are learned relative to `anchor`, the first reward that is not 0: values such as 10^12 +- 1 keep
 * their digits. The change of anchor is exact, because every arm also learns the response to a constant.
 */
export class RegressionHead {
  readonly link: Link;
  readonly lambda: number;
  #anchor = 0;
  #arms: (BayesianArm | undefined)[] = [];

  constructor(link: Link, lambda: number) {
    this.link = link;
    this.lambda = lambda;
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

  /**
   * Learns one trial.
   *
   * @param d columns that the features can have now
   * @param biasColumn column of the constant 1
   * @param intercept where a new arm's bias starts
   */
  learn(
    armIndex: number,
    x: SparseVector,
    d: number,
    reward: number,
    biasColumn: number,
    intercept: number,
  ): void {
    if (this.link === 'identity' && this.#anchor === 0 && reward !== 0) this.#setAnchor(reward);
    const arm = this.#arms[armIndex] ?? this.#createArm(armIndex, d, biasColumn, intercept);
    arm.grow(d);
    arm.learn(x, reward - this.#anchor);
  }

  /** A trial learned with one reward turns out to have another. Without a model of the arm there is nothing to correct. */
  correct(armIndex: number, x: SparseVector, d: number, previous: number, reward: number): void {
    if (this.link === 'identity' && this.#anchor === 0 && reward !== 0) this.#setAnchor(reward);
    const arm = this.#arms[armIndex];
    if (!arm) return;
    arm.grow(d);
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

  static decode(reader: BinaryReader, link: Link, lambda: number): RegressionHead {
    const head = new RegressionHead(link, lambda);
    head.#anchor = reader.f64();
    const nArms = reader.varint();
    for (let i = 0; i < nArms; i++) {
      head.#arms.push(reader.bool() ? BayesianArm.decode(reader, link, lambda) : undefined);
    }
    return head;
  }

  #createArm(armIndex: number, d: number, biasColumn: number, intercept: number): BayesianArm {
    while (this.#arms.length < armIndex) this.#arms.push(undefined);
    const arm = new BayesianArm(this.link, this.lambda);
    arm.grow(d);
    if (this.link === 'logistic') arm.theta[biasColumn] = intercept;
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
