/** Counts commands that were sent and are not answered, whether or not anybody still waits for them. */
export class InFlight {
  readonly #max: number;
  #count = 0;
  #onEmpty: (() => void) | undefined;

  constructor(max: number) {
    this.#max = max;
  }

  isFull(): boolean {
    return this.#count >= this.#max;
  }

  /** The promise itself, counted until it settles. */
  add<T>(promise: Promise<T>): Promise<T> {
    this.#count++;
    const leave = () => {
      this.#count--;
      if (this.#count === 0) this.#onEmpty?.();
    };
    promise.then(leave, leave);
    return promise;
  }

  whenEmpty(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#count === 0) resolve();
      else this.#onEmpty = resolve;
    });
  }
}
