/**
 * Turns a request's context into at most 256 columns (ALGORITHMS, rule 9): a bias, one column for each numeric key,
 * for each key's true and false, and for each (key, string) while the dictionary has room; past it, signed hash buckets.
 *
 * Holds the dictionary and the scalers. The learner alone writes it, with `observe`, once a trial in the recorded order;
 * serving reads a decoded copy. Columns are handed out in the order of first sighting, and never change or go, so
 * coefficients stay valid. New columns of one trial are handed out by sorted key: the order of a context's keys does
 * not matter. Bounds: 192 dictionary columns, of which one key's strings take at most 48, and 64 buckets.
 *
 * A missing key, a value never seen, a number that is not finite and a value of another type add nothing.
 */
import type { BinaryReader } from '../codec/binary-reader.ts';
import type { BinaryWriter } from '../codec/binary-writer.ts';
import type { Context, ContextValue } from '../policy.ts';
import { ColumnScaler, scalerTrials } from './column-scaler.ts';
import type { SparseVector } from './sparse-vector.ts';
import { hashPair } from './string-hash.ts';

const dictionaryMax = 192;
const bucketsMax = 64;
/** Most string values of one key in the dictionary, so that a user id cannot fill it. */
const valuesPerKeyMax = 48;
/** Longer keys and strings are stored by their start and their hash. */
const nameLengthMax = 64;

/** Most columns a context can have. */
export const columnsMax = dictionaryMax + bucketsMax;

export class ContextEncoder {
  readonly #keys = new Map<string, KeyColumns>();
  /** What each column from 1 on stands for, in order; needed to write the dictionary down. */
  readonly #meanings: Meaning[] = [];
  readonly #bucketColumns = new Int32Array(bucketsMax).fill(-1);
  readonly #bucketSums = new Float64Array(bucketsMax);
  #nDictionary = 1;
  /** Trials and usable entries (the bias counted as one each) of the first 200 trials. */
  #nTrials = 0;
  #nEntries = 0;
  #scaler = new ColumnScaler();

  /** Columns handed out so far, the bias included: 1 … 256. Every encoded column is below it. */
  get nColumns(): number {
    return this.#meanings.length + 1;
  }

  /** Mean number of entries, bias included, of the first 200 trials: >= 1; 1 before any. */
  get meanEntries(): number {
    return this.#nTrials > 0 ? this.#nEntries / this.#nTrials : 1;
  }

  /** Learns a trial's context: new columns and the first 200 values of each number. */
  observe(context: Context | undefined): void {
    let nEntries = 1;
    const unknown: string[] = [];
    for (const key of Object.keys(context ?? {})) {
      const value = context![key]!;
      if (!isUsable(value)) continue;
      nEntries++;
      const column = this.#findColumn(key, value);
      if (column < 0) unknown.push(key);
      else if (typeof value === 'number') this.#scaler.observe(column, value);
    }
    for (const key of unknown.sort()) this.#observeUnknown(key, context![key]!);
    if (this.#nTrials >= scalerTrials) return;
    this.#nTrials++;
    this.#nEntries += nEntries;
  }

  /** Writes the context's non-zero entries into `into` (capacity >= 256). Changes no state. */
  encode(context: Context | undefined, into: SparseVector): void {
    into.clear();
    into.append(0, 1);
    if (!context) return;
    let hasBuckets = false;
    for (const key of Object.keys(context)) {
      const value = context[key]!;
      if (!isUsable(value)) continue;
      const column = this.#findColumn(key, value);
      if (column >= 0) into.insert(column, typeof value === 'number' ? this.#scaler.scale(column, value) : 1);
      else if (this.#hasRoom(key, value)) into.nUnseen += typeof value === 'number' ? 0 : 1;
      else hasBuckets = this.#addToBucket(key, value) || hasBuckets;
    }
    if (hasBuckets) this.#insertBuckets(into);
  }

  write(writer: BinaryWriter): void {
    writer.varint(this.#meanings.length);
    for (const { kind, key, value, bucket } of this.#meanings) {
      writer.u8(kind);
      if (kind === kinds.bucket) writer.varint(bucket);
      else writer.string(key);
      if (kind === kinds.string) writer.string(value);
    }
    writer.varint(this.#nTrials).varint(this.#nEntries);
    this.#scaler.encode(writer);
  }

  static read(reader: BinaryReader): ContextEncoder {
    const encoder = new ContextEncoder();
    const nMeanings = reader.varint();
    for (let i = 0; i < nMeanings; i++) {
      const kind = reader.u8();
      const bucket = kind === kinds.bucket ? reader.varint() : -1;
      const key = kind === kinds.bucket ? '' : reader.string();
      const value = kind === kinds.string ? reader.string() : '';
      encoder.#addColumn({ kind, key, value, bucket });
    }
    encoder.#nTrials = reader.varint();
    encoder.#nEntries = reader.varint();
    encoder.#scaler = ColumnScaler.decode(reader);
    return encoder;
  }

  /** @returns the dictionary column, or -1 */
  #findColumn(key: string, value: ContextValue): number {
    const columns = this.#keys.get(nameOf(key));
    if (!columns) return -1;
    if (typeof value === 'string') return columns.strings.get(nameOf(value)) ?? -1;
    if (typeof value === 'number') return columns.number;
    return value ? columns.true : columns.false;
  }

  /** True when the next sighting would get a dictionary column. */
  #hasRoom(key: string, value: ContextValue): boolean {
    if (this.#nDictionary >= dictionaryMax) return false;
    return typeof value !== 'string' || (this.#keys.get(nameOf(key))?.strings.size ?? 0) < valuesPerKeyMax;
  }

  #observeUnknown(key: string, value: ContextValue): void {
    const kind = kindOf(value);
    if (this.#hasRoom(key, value)) {
      const name = typeof value === 'string' ? nameOf(value) : '';
      this.#addColumn({ kind, key: nameOf(key), value: name, bucket: -1 });
    } else {
      const bucket = hashEntry(key, value) % bucketsMax;
      if (this.#bucketColumns[bucket]! < 0)
        this.#addColumn({ kind: kinds.bucket, key: '', value: '', bucket });
    }
    if (typeof value === 'number') this.#scaler.observe(this.#numberColumn(key, value), value);
  }

  #numberColumn(key: string, value: number): number {
    const column = this.#findColumn(key, value);
    return column >= 0 ? column : this.#bucketColumns[hashEntry(key, value) % bucketsMax]!;
  }

  #addColumn(meaning: Meaning): void {
    this.#meanings.push(meaning);
    const column = this.#meanings.length;
    if (meaning.kind === kinds.bucket) {
      this.#bucketColumns[meaning.bucket] = column;
      return;
    }
    this.#nDictionary++;
    let columns = this.#keys.get(meaning.key);
    if (!columns) {
      columns = { number: -1, true: -1, false: -1, strings: new Map() };
      this.#keys.set(meaning.key, columns);
    }
    if (meaning.kind === kinds.string) columns.strings.set(meaning.value, column);
    else if (meaning.kind === kinds.number) columns.number = column;
    else if (meaning.kind === kinds.true) columns.true = column;
    else columns.false = column;
  }

  /** Sums the signed entry into its bucket. @returns whether the bucket has a column */
  #addToBucket(key: string, value: ContextValue): boolean {
    const hash = hashEntry(key, value);
    const bucket = hash % bucketsMax;
    const column = this.#bucketColumns[bucket]!;
    if (column < 0) return false;
    const size = typeof value === 'number' ? this.#scaler.scale(column, value) : 1;
    this.#bucketSums[bucket]! += hash >>> 31 === 0 ? size : -size;
    return true;
  }

  #insertBuckets(into: SparseVector): void {
    for (let bucket = 0; bucket < bucketsMax; bucket++) {
      if (this.#bucketSums[bucket] === 0) continue;
      into.insert(this.#bucketColumns[bucket]!, this.#bucketSums[bucket]!);
      this.#bucketSums[bucket] = 0;
    }
  }
}

/** Columns of one key; -1 where there is none. */
interface KeyColumns {
  number: number;
  true: number;
  false: number;
  readonly strings: Map<string, number>;
}

interface Meaning {
  readonly kind: number;
  readonly key: string;
  readonly value: string;
  readonly bucket: number;
}

const kinds = { number: 0, string: 1, true: 2, false: 3, bucket: 4 } as const;

function kindOf(value: ContextValue): number {
  if (typeof value === 'string') return kinds.string;
  if (typeof value === 'number') return kinds.number;
  return value ? kinds.true : kinds.false;
}

function isUsable(value: ContextValue): boolean {
  if (typeof value === 'number') return value - value === 0;
  return typeof value === 'string' || typeof value === 'boolean';
}

/** A number's bucket is its key's; a string's or boolean's that of key and value. */
function hashEntry(key: string, value: ContextValue): number {
  return hashPair(
    key,
    typeof value === 'number' ? '' : typeof value === 'string' ? `s${value}` : `b${value}`,
  );
}

function nameOf(text: string): string {
  if (text.length > nameLengthMax)
    return `${text.slice(0, 48).toWellFormed()}#${hashPair(text, '').toString(16)}`;
  return text.isWellFormed() ? text : text.toWellFormed();
}
