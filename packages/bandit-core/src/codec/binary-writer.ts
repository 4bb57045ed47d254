/**
 * Growing buffer for versioned binary states: little-endian, exact, and the same bytes for the same values.
 *
 * A state is `header(kind, version)` followed by sections. A section is a tag, a byte length and a body, so a
 * reader skips the tags it does not know: later versions may add sections, never change the meaning of one.
 * Pair: `BinaryReader`, whose methods have the same names.
 */
export class BinaryWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  /** @param capacity first size of the buffer in bytes, >= 1; it doubles when full */
  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(Math.max(1, capacity));
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** @param value integer 0 … 255 */
  u8(value: number): this {
    if (!Number.isInteger(value) || value < 0 || value > 255) {
      throw new RangeError(`u8 must be an integer 0 to 255, got ${value}`);
    }
    this.#push(value);
    return this;
  }

  bool(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  /** LEB128, 1 byte below 128, at most 8. @param value integer 0 … 2^53 - 1 */
  varint(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`varint must be an integer 0 to 2^53 - 1, got ${value}`);
    }
    let rest = value;
    while (rest >= 128) {
      this.#push((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    this.#push(rest);
    return this;
  }

  /** Exact: every bit pattern survives but the payload of a NaN. */
  f64(value: number): this {
    const at = this.#reserve(8);
    this.#view.setFloat64(at, value, true);
    return this;
  }

  f32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setFloat32(at, value, true);
    return this;
  }

  /** Length, then the first `n` values (all when left out). */
  f64s(values: ArrayLike<number>, n = values.length): this {
    this.varint(n);
    let at = this.#reserve(8 * n);
    for (let i = 0; i < n; i++, at += 8) this.#view.setFloat64(at, values[i]!, true);
    return this;
  }

  /** Length, then the first `n` values rounded to float32 (all when left out). */
  f32s(values: ArrayLike<number>, n = values.length): this {
    this.varint(n);
    let at = this.#reserve(4 * n);
    for (let i = 0; i < n; i++, at += 4) this.#view.setFloat32(at, values[i]!, true);
    return this;
  }

  /** Length, then the bytes. */
  bytes(value: Uint8Array): this {
    this.varint(value.length);
    const at = this.#reserve(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** UTF-8 with its length in bytes; a lone surrogate becomes U+FFFD. */
  string(value: string): this {
    return this.bytes(encoder.encode(value));
  }

  /** First bytes of a state. @param kind 0 … 255, which state this is; @param version 1 … 2^53 - 1 */
  header(kind: number, version: number): this {
    return this.u8(kind).varint(version);
  }

  /** One skippable part. @param tag integer >= 0, unique within the state */
  section(tag: number, write: (body: BinaryWriter) => void): this {
    const body = new BinaryWriter();
    write(body);
    return this.varint(tag).bytes(body.finish());
  }

  /** A copy of what was written. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  #push(byte: number): void {
    const at = this.#reserve(1);
    this.#bytes[at] = byte;
  }

  /** Makes room for `n` bytes and returns where they start. Call it before naming the buffer: it may move. */
  #reserve(n: number): number {
    const start = this.#length;
    this.#length = start + n;
    if (this.#length > this.#bytes.length) this.#grow();
    return start;
  }

  #grow(): void {
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

const encoder = new TextEncoder();
