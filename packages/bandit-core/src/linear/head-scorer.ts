import type { SparseVector } from '../context/sparse-vector.ts';
import type { SumsState } from '../context-free/sums-state.ts';
import type { Arm } from '../policy.ts';
import type { ContextualSettings } from './contextual-policy.ts';
import { noiseDeviation, startIntercept } from './contextual-settings.ts';
import { type ServingArm, type ServingHead, servedMean, servedVariance, untriedArm } from './serving-head.ts';

/** The live arms' regressions as served; arms without trials stand at the prior. */
export class HeadScorer {
  readonly #head: ServingHead;
  readonly #arms: readonly ServingArm[];
  readonly #noise: number;

  /**
   * @param nColumns columns that features can have
   * @param biasColumn column of the constant 1
   */
  constructor(
    head: ServingHead,
    sums: SumsState,
    arms: readonly Arm[],
    { link, armIndices }: ContextualSettings,
    nColumns: number,
    biasColumn: number,
  ) {
    this.#head = head;
    this.#noise = link === 'logistic' ? 1 : noiseDeviation;
    this.#arms = armIndices.map((index) => {
      const found = head.arms.get(index);
      if (found) return found;
      const isLogistic = link === 'logistic';
      const start = isLogistic
        ? startIntercept(sums, index, (i) => arms[i]?.isLive === true, arms[index])
        : 0;
      return untriedArm(nColumns, biasColumn, start);
    });
  }

  /** means[k] = x'theta of the k-th live arm. */
  means(x: SparseVector, means: Float64Array): void {
    for (let k = 0; k < this.#arms.length; k++) means[k] = servedMean(this.#arms[k]!, x);
  }

  /** x'theta of one live arm. */
  mean(k: number, x: SparseVector): number {
    return servedMean(this.#arms[k]!, x);
  }

  /** Standard deviation of the k-th live arm's mean. */
  deviation(k: number, x: SparseVector): number {
    return this.#noise * Math.sqrt(servedVariance(this.#head, this.#arms[k]!, x));
  }
}
