/**
 * Reads what `BinaryWriter` wrote, method for method. Every length is checked against the bytes that are there
 * before anything is allocated, so damaged input throws a RangeError and never reads past its end.
 */
export class BinaryReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  bool(): boolean {
    return this.u8() !== 0;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++, scale *= 128) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (Number.isSafeInteger(value)) return value;
        break;
      }
    }
    throw new RangeError(`varint at byte ${this.#at} must be below 2^53`);
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  f32(): number {
    return this.#view.getFloat32(this.#take(4), true);
  }

  f64s(): Float64Array<ArrayBuffer> {
    const n = this.varint();
    let at = this.#take(8 * n);
    const values = new Float64Array(n);
    for (let i = 0; i < n; i++, at += 8) values[i] = this.#view.getFloat64(at, true);
    return values;
  }

  f32s(): Float32Array<ArrayBuffer> {
    const n = this.varint();
    let at = this.#take(4 * n);
    const values = new Float32Array(n);
    for (let i = 0; i < n; i++, at += 4) values[i] = this.#view.getFloat32(at, true);
    return values;
  }

  /** A view into the input, not a copy. */
  bytes(): Uint8Array {
    const n = this.varint();
    const start = this.#take(n);
    return this.#bytes.subarray(start, start + n);
  }

  string(): string {
    return decoder.decode(this.bytes());
  }

  /**
   * Checks that the state is of this kind and of a version that this code can read.
   * @returns the version found, 1 … versionMax
   */
  header(kind: number, versionMax: number): number {
    const found = this.u8();
    if (found !== kind) throw new RangeError(`state kind must be ${kind}, got ${found}`);
    const version = this.varint();
    if (version < 1 || version > versionMax) {
      throw new RangeError(`state version must be 1 to ${versionMax}, got ${version}`);
    }
    return version;
  }

  /** All sections to the end, by tag; the caller asks for those it knows and never sees the others. */
  sections(): Sections {
    const found = new Map<number, Uint8Array>();
    while (this.remaining > 0) {
      const tag = this.varint();
      found.set(tag, this.bytes());
    }
    return new Sections(found);
  }

  #take(n: number): number {
    if (n > this.remaining) {
      throw new RangeError(`state ends at byte ${this.#bytes.length}, ${n} more bytes needed at ${this.#at}`);
    }
    const start = this.#at;
    this.#at += n;
    return start;
  }
}

/** The sections of one state; a section that an older writer did not write is `undefined`. */
export class Sections {
  readonly #byTag: ReadonlyMap<number, Uint8Array>;

  constructor(byTag: ReadonlyMap<number, Uint8Array>) {
    this.#byTag = byTag;
  }

  find(tag: number): BinaryReader | undefined {
    const bytes = this.#byTag.get(tag);
    return bytes && new BinaryReader(bytes);
  }

  /** @throws RangeError when the section is missing */
  get(tag: number): BinaryReader {
    const reader = this.find(tag);
    if (!reader) throw new RangeError(`state section ${tag} is missing`);
    return reader;
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
