import type { BinaryReader } from '../codec/binary-reader.ts';
import type { BinaryWriter } from '../codec/binary-writer.ts';

/** Values of a column that set its mean and s.d.; after them the scaler is frozen. */
export const scalerTrials = 200;

/** Scaled values are cut to +- this many s.d. */
const clip = 5;

/** Numbers beyond this are cut before they are scaled, so that squares stay finite. */
const largest = 1e150;

/**
 * Standardises numeric columns by the mean and s.d. of their first 200 values (Welford's recurrence, so 1e6-scaled
 * numbers and timestamps keep their digits), then holds still. A column whose values were all equal scales to 0.
 * Written by the learner only; serving decodes a copy.
 */
export class ColumnScaler {
  readonly #counts: number[] = [];
  readonly #means: number[] = [];
  readonly #squares: number[] = [];

  /** Takes one value of a column in; columns frozen already ignore it. */
  observe(column: number, value: number): void {
    while (this.#counts.length <= column) this.#push(0, 0, 0);
    const count = this.#counts[column]!;
    if (count >= scalerTrials) return;
    const bounded = bound(value, largest);
    const deviation = bounded - this.#means[column]!;
    const mean = this.#means[column]! + deviation / (count + 1);
    this.#counts[column] = count + 1;
    this.#means[column] = mean;
    this.#squares[column]! += deviation * (bounded - mean);
  }

  /** @returns (value - mean) / s.d. within +-5; 0 for a column without spread */
  scale(column: number, value: number): number {
    const count = this.#counts[column] ?? 0;
    const squares = this.#squares[column] ?? 0;
    if (count < 2 || !(squares > 0)) return 0;
    const scaled = (bound(value, largest) - this.#means[column]!) / Math.sqrt(squares / count);
    return bound(scaled, clip);
  }

  encode(writer: BinaryWriter): void {
    writer.f64s(this.#counts).f64s(this.#means).f64s(this.#squares);
  }

  static decode(reader: BinaryReader): ColumnScaler {
    const scaler = new ColumnScaler();
    const [counts, means, squares] = [reader.f64s(), reader.f64s(), reader.f64s()];
    for (let i = 0; i < counts.length; i++) scaler.#push(counts[i]!, means[i]!, squares[i]!);
    return scaler;
  }

  #push(count: number, mean: number, squares: number): void {
    this.#counts.push(count);
    this.#means.push(mean);
    this.#squares.push(squares);
  }
}

function bound(value: number, limit: number): number {
  return Math.min(limit, Math.max(-limit, value));
}
