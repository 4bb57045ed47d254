/**
 * Adam with decoupled weight decay, beta = (.9, .999). Source: Kingma & Ba (2015); Loshchilov & Hutter (2019).
 * Moments live for one training round.
 */
export class Adam {
  readonly #weights: Float32Array;
  readonly #first: Float32Array;
  readonly #second: Float32Array;
  readonly #rate: number;
  readonly #decay: number;
  #nSteps = 0;

  /** @param decay shrinks each weight by rate * decay a step */
  constructor(weights: Float32Array, rate: number, decay: number) {
    this.#weights = weights;
    this.#first = new Float32Array(weights.length);
    this.#second = new Float32Array(weights.length);
    this.#rate = rate;
    this.#decay = decay;
  }

  /** @param gradient shape of the weights, mean over the rows of the step */
  step(gradient: Float32Array): void {
    this.#nSteps++;
    const correction = Math.sqrt(1 - 0.999 ** this.#nSteps) / (1 - 0.9 ** this.#nSteps);
    const rate = this.#rate * correction;
    const shrink = 1 - this.#rate * this.#decay;
    const [weights, first, second] = [this.#weights, this.#first, this.#second];
    for (let i = 0; i < weights.length; i++) {
      const g = gradient[i]!;
      first[i] = 0.9 * first[i]! + 0.1 * g;
      second[i] = 0.999 * second[i]! + 0.001 * g * g;
      weights[i] = shrink * weights[i]! - (rate * first[i]!) / (Math.sqrt(second[i]!) + 1e-8);
    }
  }
}
