/**
 * JSON from outside: request bodies, the GET context, bus messages, AI answers. Stricter than JSON.parse, because what
 * passes it is stored: bounded depth (checked without recursion, before parsing), valid UTF-8, no NUL and no lone
 * surrogate (jsonb refuses both), no number that overflows to Infinity, no prototype poisoning.
 */
import { isUtf8 } from 'node:buffer';
import { ApiError, limits } from '@bandit/contracts';
import secureJson from 'secure-json-parse';
import { scanJson } from './scan-json.ts';

export interface ParseJsonOptions {
  /** Most nested arrays and objects. */
  readonly depthMax?: number;
  /** What the text is, for the message: `body`, `context`. */
  readonly name?: string;
}

/**
 * @returns any JSON value
 * @throws ApiError MALFORMED_JSON saying what is wrong
 */
export function parseJson(input: Uint8Array | string, options: ParseJsonOptions = {}): unknown {
  const { depthMax = limits.jsonDepthMax, name = 'body' } = options;
  const bytes = toBytes(input);
  if (typeof input === 'string' ? !input.isWellFormed() : !isUtf8(bytes)) {
    throw malformed(`${name} is not valid Unicode: it holds broken UTF-8 or a lone surrogate`);
  }
  const { fault, hasEscape, mayOverflow } = scanJson(bytes, depthMax);
  if (fault !== undefined) throw malformed(`${name} ${fault}`);
  const value = parse(typeof input === 'string' ? input : bytes.toString(), hasEscape, name);
  if (mayOverflow && hasInfinity(value)) throw malformed(`${name} holds a number that is not finite`);
  return value;
}

function toBytes(input: Uint8Array | string): Buffer {
  if (typeof input === 'string') return Buffer.from(input);
  return Buffer.isBuffer(input) ? input : Buffer.from(input.buffer, input.byteOffset, input.length);
}

/** secure-json-parse costs two searches by pattern; only a text that names or may disguise a poison needs them. */
function parse(text: string, hasEscape: boolean, name: string): unknown {
  const isSuspect = hasEscape || text.includes('__proto__') || text.includes('constructor');
  try {
    return isSuspect ? secureJson.parse(text) : JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // The engine quotes the text it met: bounded, and without line breaks.
    throw malformed(`${name} is not JSON: ${reason.replace(/\s+/g, ' ').slice(0, 120)}`, error);
  }
}

/** Without recursion; only called for texts with an exponent or a very long number. */
function hasInfinity(root: unknown): boolean {
  const pending: unknown[] = [root];
  while (pending.length > 0) {
    const value = pending.pop();
    if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) return true;
    if (typeof value === 'object' && value !== null)
      for (const inner of Object.values(value)) pending.push(inner);
  }
  return false;
}

function malformed(message: string, cause?: unknown): ApiError {
  return new ApiError('MALFORMED_JSON', message, { cause });
}
