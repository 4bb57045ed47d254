import type { BinaryReader } from '../codec/binary-reader.ts';
import type { BinaryWriter } from '../codec/binary-writer.ts';

/** Trials after which a comparison counts half. */
const halfLife = 2000;
const decay = 0.5 ** (1 / halfLife);
/** Comparisons before the first change of lead. */
const comparisonsMin = 30;

/**
 * Which of the two models predicts better: sum of weighted loss differences (linear - neural) of predictions logged
 * when the treatment was drawn, older trials fading. Positive favours the neural model. The lead changes when the
 * other model is ahead by 2 standard errors (the s.e. of a sum of terms of mean 0). The neural model starts ahead: it
 * sees what the linear one sees and more, under the same prior.
 *
 * Weights min(1/p, 2K) make up for what the served policy tends to show; self-reported trials have none and stay out.
 */
export class ModelRace {
  #sum = 0;
  #squares = 0;
  #nComparisons = 0;
  #isNeuralAhead = true;

  get isNeuralAhead(): boolean {
    return this.#isNeuralAhead;
  }

  /** Standard errors by which the neural model leads; negative when it trails. */
  get lead(): number {
    return this.#squares > 0 ? this.#sum / Math.sqrt(this.#squares) : 0;
  }

  /** One trial goes by: what was compared before fades. */
  advance(): void {
    this.#sum *= decay;
    this.#squares *= decay * decay;
  }

  /** @param difference loss of the linear minus loss of the neural prediction; @param weight >= 0 */
  compare(difference: number, weight: number): void {
    this.#add(difference * weight, (difference * weight) ** 2);
    this.#nComparisons++;
  }

  /**
   * The reward of a trial compared `age` trials ago has changed.
   *
   * @param before difference that `compare` was given; @param after what it is with the new reward
   */
  revise(before: number, after: number, weight: number, age: number): void {
    const faded = weight * decay ** age;
    this.#add((after - before) * faded, (after * after - before * before) * faded * faded);
  }

  /** Once a chunk, after its facts. */
  decide(): void {
    if (this.#nComparisons < comparisonsMin) return;
    if (this.lead > 2) this.#isNeuralAhead = true;
    else if (this.lead < -2) this.#isNeuralAhead = false;
  }

  encode(writer: BinaryWriter): void {
    writer.f64(this.#sum).f64(this.#squares).varint(this.#nComparisons).bool(this.#isNeuralAhead);
  }

  static decode(reader: BinaryReader): ModelRace {
    const race = new ModelRace();
    race.#sum = reader.f64();
    race.#squares = reader.f64();
    race.#nComparisons = reader.varint();
    race.#isNeuralAhead = reader.bool();
    return race;
  }

  #add(term: number, square: number): void {
    if (!Number.isFinite(term) || !Number.isFinite(square)) return;
    this.#sum += term;
    this.#squares = Math.max(0, this.#squares + square);
  }
}
