const quote = 0x22;
const backslash = 0x5c;
const letterU = 0x75;

export interface JsonScan {
  /** What must be refused, as the end of a sentence. */
  readonly fault: string | undefined;
  /** True where a `\\uXXXX` escape occurs: keys may be spelled in disguise. */
  readonly hasEscape: boolean;
  /** True where a number might be too large for a double: an exponent, or very many digits. */
  readonly mayOverflow: boolean;
}

const digitsHarmless = 300;

/**
 * One pass over the bytes, no recursion, no allocation: what JSON.parse would let through or fall over. It does not
 * check the grammar; JSON.parse does that afterwards.
 */
export function scanJson(bytes: Uint8Array, depthMax: number): JsonScan {
  let depth = 0;
  let nDigits = 0;
  let mayOverflow = false;
  let hasEscape = false;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i] as number;
    if (byte === quote) {
      const end = scanString(bytes, i + 1);
      if (end === nul) return { fault: 'holds \\u0000', hasEscape, mayOverflow };
      if (end === loneSurrogate) return { fault: 'holds a lone surrogate', hasEscape, mayOverflow };
      hasEscape ||= end < 0;
      // A string with escapes gives its end as a negative number.
      i = end < 0 ? -end : end;
      nDigits = 0;
    } else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > depthMax) {
        return { fault: `is nested deeper than ${depthMax} levels`, hasEscape, mayOverflow };
      }
      nDigits = 0;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
      nDigits = 0;
    } else if (byte >= 0x30 && byte <= 0x39) {
      nDigits += 1;
      if (nDigits > digitsHarmless) mayOverflow = true;
    } else {
      if ((byte === 0x45 || byte === 0x65) && nDigits > 0) mayOverflow = true;
      nDigits = 0;
    }
  }
  return { fault: undefined, hasEscape, mayOverflow };
}

// No string ends at 0 or 1: it has an opening quote and, escaped, at least one character.
const nul = 0;
const loneSurrogate = -1;

/** @returns the position of the closing quote (or the end), negative where the string has an escape; or a fault */
function scanString(bytes: Uint8Array, start: number): number {
  let i = start;
  let hasEscape = false;
  while (i < bytes.length) {
    const byte = bytes[i] as number;
    if (byte === quote) break;
    if (byte !== backslash) {
      i += 1;
    } else if (bytes[i + 1] !== letterU) {
      i += 2;
    } else {
      hasEscape = true;
      const unit = readHex(bytes, i + 2);
      if (unit === 0) return nul;
      if (unit >= 0xdc00 && unit <= 0xdfff) return loneSurrogate;
      if (unit >= 0xd800 && unit <= 0xdbff) {
        if (!isLowSurrogate(bytes, i + 6)) return loneSurrogate;
        i += 6;
      }
      i += 6;
    }
  }
  return hasEscape ? -i : i;
}

function isLowSurrogate(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== backslash || bytes[at + 1] !== letterU) return false;
  const unit = readHex(bytes, at + 2);
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** Four hexadecimal digits, or NaN where they are not: JSON.parse will say so. */
function readHex(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let k = at; k < at + 4; k += 1) {
    const byte = bytes[k] ?? 0;
    const lower = byte | 0x20;
    if (byte >= 0x30 && byte <= 0x39) value = value * 16 + byte - 0x30;
    else if (lower >= 0x61 && lower <= 0x66) value = value * 16 + lower - 0x57;
    else return Number.NaN;
  }
  return value;
}
