import { GaussianBest } from '../gaussian/gaussian-best.ts';
import { applyFloor } from '../pmf/apply-floor.ts';
import { capNewArms } from '../pmf/cap-new-arms.ts';
import type { Context, Decision, Policy } from '../policy.ts';
import type { Link } from './link.ts';
import { sigmoid } from './link.ts';
import { squareCb, squareCbGamma } from './squarecb.ts';

/** What a contextual model says of one request; it keeps the features of the last context it scored. */
export interface ArmScorer {
  /** Encodes the context and sets means[k] = x'theta of the k-th live arm: log-odds, or values in 3 pooled s.d. */
  score(context: Context | undefined, means: Float64Array): void;
  /** Standard deviation of the k-th live arm's mean, for the context scored last; >= 0. */
  deviation(k: number): number;
  /** What the learner wants back with the trial if the k-th live arm is chosen. */
  predictions(k: number): readonly number[] | undefined;
}

export interface ContextualSettings {
  readonly link: Link;
  readonly explorer: 'squarecb' | 'thompson';
  /** gamma = gammaScale sqrt(max(1, nTrials)) */
  readonly gammaScale: number;
  readonly nTrials: number;
  readonly floor: number;
  /** shape [K]: live arms' indices, shares by weight, and which are held to their share */
  readonly armIndices: readonly number[];
  readonly shares: Float64Array;
  readonly isNew: readonly boolean[];
  /** Number of all arms, the length of what `pmf` and `confidence` return. */
  readonly nArms: number;
}

/**
 * Policy of the contextual algorithms: scores the live arms, turns the scores into an explicit PMF (SquareCB, or
 * Thompson's exact probability of being best), holds new arms to their share, mixes the floor in, and draws.
 * Reuses its buffers: one decision at a time, which synchronous callers cannot break.
 */
export class ContextualPolicy implements Policy {
  readonly #settings: ContextualSettings;
  readonly #scorer: ArmScorer;
  readonly #best: GaussianBest;
  readonly #hasNew: boolean;
  readonly #means: Float64Array;
  readonly #values: Float64Array;
  readonly #sds: Float64Array;
  readonly #pmf: Float64Array;

  constructor(settings: ContextualSettings, scorer: ArmScorer) {
    const nLive = settings.armIndices.length;
    this.#settings = settings;
    this.#scorer = scorer;
    this.#best = new GaussianBest(nLive);
    this.#hasNew = settings.isNew.includes(true);
    this.#means = new Float64Array(nLive);
    this.#values = new Float64Array(nLive);
    this.#sds = new Float64Array(nLive);
    this.#pmf = new Float64Array(nLive);
  }

  decide(context: Context | undefined, uniform: number): Decision {
    const pmf = this.#livePmf(context);
    const k = draw(pmf, uniform);
    if (this.#settings.explorer !== 'thompson') this.#setDeviations();
    return {
      armIndex: this.#settings.armIndices[k]!,
      propensity: pmf[k]!,
      confidence: this.#best.one(k, this.#means, this.#sds),
      predictions: this.#scorer.predictions(k),
    };
  }

  pmf(context: Context | undefined): Float64Array {
    return this.#byArmIndex(this.#livePmf(context));
  }

  confidence(context: Context | undefined): Float64Array {
    this.#scorer.score(context, this.#means);
    this.#setDeviations();
    const best = new Float64Array(this.#means.length);
    this.#best.all(this.#means, this.#sds, best);
    return this.#byArmIndex(best);
  }

  /** The PMF over live arms; leaves means, and for Thompson deviations, of this context behind. */
  #livePmf(context: Context | undefined): Float64Array {
    const { explorer, floor, shares, isNew } = this.#settings;
    this.#scorer.score(context, this.#means);
    if (explorer === 'thompson') {
      this.#setDeviations();
      this.#best.all(this.#means, this.#sds, this.#pmf);
    } else {
      this.#squareCb();
    }
    const capped = this.#hasNew ? capNewArms(this.#pmf, shares, isNew) : this.#pmf;
    return floor > 0 ? applyFloor(capped, shares, floor) : capped;
  }

  #squareCb(): void {
    const { link, gammaScale, nTrials } = this.#settings;
    for (let k = 0; k < this.#means.length; k++) {
      const mean = this.#means[k]!;
      this.#values[k] = link === 'logistic' ? sigmoid(mean) : mean;
    }
    squareCb(this.#values, squareCbGamma(gammaScale, nTrials), this.#pmf);
  }

  #setDeviations(): void {
    for (let k = 0; k < this.#sds.length; k++) this.#sds[k] = this.#scorer.deviation(k);
  }

  #byArmIndex(values: Float64Array): Float64Array {
    const all = new Float64Array(this.#settings.nArms);
    this.#settings.armIndices.forEach((index, k) => {
      all[index] = values[k]!;
    });
    return all;
  }
}

/** First arm whose running sum exceeds the uniform number; rounding leaves the last arm with a positive probability. */
function draw(pmf: Float64Array, uniform: number): number {
  let sum = 0;
  let last = 0;
  for (let k = 0; k < pmf.length; k++) {
    if (!(pmf[k]! > 0)) continue;
    sum += pmf[k]!;
    last = k;
    if (uniform < sum) break;
  }
  return last;
}
