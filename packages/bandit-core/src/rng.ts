/**
 * Seeded generator: sfc32 (Chris Doty-Humphrey, PractRand), 128 bits of explicit state, 53-bit uniforms.
 * About 5 ns a uniform. Not for secrets.
 */
import { BinaryReader } from './codec/binary-reader.ts';
import { BinaryWriter } from './codec/binary-writer.ts';
import type { Rng } from './policy.ts';

export interface SeededRng extends Rng {
  /** The state; `decodeRng(encode())` continues the same sequence. */
  encode(): Uint8Array;
}

/**
 * @param seed a finite number or a bigint; equal seeds give equal sequences on every machine. Numbers are read by
 *   their 64-bit pattern, bigints by their lowest 64 bits, so 1 and 1n are different seeds.
 * @throws RangeError when the number is not finite
 */
export function createRng(seed: number | bigint): SeededRng {
  const [low, high] = seedWords(seed);
  const words = new Uint32Array([mixBits(low), mixBits(high ^ 0x9e3779b9), mixBits(low ^ 0x85ebca6b), 1]);
  const rng = rngFrom(words);
  // Twelve rounds are the author's advice; twenty draws are forty rounds.
  for (let i = 0; i < 20; i++) rng.uniform();
  return rng;
}

/** @throws RangeError when the bytes are not a generator's state */
export function decodeRng(bytes: Uint8Array): SeededRng {
  const reader = new BinaryReader(bytes);
  reader.header(rngStateKind, 1);
  return rngFrom(new Uint32Array([reader.varint(), reader.varint(), reader.varint(), reader.varint()]));
}

const rngStateKind = 7;

function rngFrom(words: Uint32Array): SeededRng {
  let a = words[0]! | 0;
  let b = words[1]! | 0;
  let c = words[2]! | 0;
  let counter = words[3]! | 0;

  function next(): number {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  return {
    uniform: () => ((next() >>> 5) * 67_108_864 + (next() >>> 6)) / 9_007_199_254_740_992,
    encode: () => {
      const writer = new BinaryWriter(32).header(rngStateKind, 1);
      for (const word of [a, b, c, counter]) writer.varint(word >>> 0);
      return writer.finish();
    },
  };
}

function seedWords(seed: number | bigint): [number, number] {
  const view = new DataView(new ArrayBuffer(8));
  if (typeof seed === 'bigint') {
    view.setBigUint64(0, BigInt.asUintN(64, seed));
  } else {
    if (!Number.isFinite(seed)) throw new RangeError(`seed must be a finite number or a bigint, got ${seed}`);
    view.setFloat64(0, seed);
  }
  return [view.getUint32(4), view.getUint32(0)];
}

/** Finaliser of MurmurHash3: every input bit moves every output bit. */
function mixBits(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
