/**
 * The form of an API key: `bk_<env>_<keyId>_<secret><checksum>`.
 *
 * keyId: 16 characters that find the record. secret: 43 characters of base62 (256 bits). checksum: CRC-32 of all that
 * stands before it, 6 characters of base62: a mistyped or made-up key is refused without a look-up. The database keeps
 * keyId and the SHA-256 of the secret.
 */
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const keyIdChars = 16;
const secretChars = 43;
const checksumChars = 6;
const form = /^bk_([a-z]{2,10})_([0-9A-Za-z]{16})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})$/;

export interface MadeApiKey {
  readonly keyId: string;
  /** Shown once. */
  readonly key: string;
  /** `bk_<env>_<keyId>`: what lists show. */
  readonly prefix: string;
  readonly secretHash: Uint8Array;
}

/**
 * @param environment lower-case letters, 2 to 10: `live`, `test`
 * @param randomBytes unpredictable bytes (node:crypto in production)
 */
export function makeApiKey(environment: string, randomBytes: (nBytes: number) => Uint8Array): MadeApiKey {
  const keyId = randomText(keyIdChars, randomBytes);
  const secret = randomText(secretChars, randomBytes);
  const prefix = `bk_${environment}_${keyId}`;
  const signed = `${prefix}_${secret}`;
  return { keyId, key: signed + checksum(signed), prefix, secretHash: hashSecret(secret) };
}

export interface ParsedApiKey {
  readonly keyId: string;
  readonly secret: string;
}

/** undefined for whatever is not a key with a right checksum. */
export function parseApiKey(text: string): ParsedApiKey | undefined {
  const match = form.exec(text);
  if (match === null || checksum(text.slice(0, -checksumChars)) !== match[4]) return undefined;
  return { keyId: match[2] as string, secret: match[3] as string };
}

export function hashSecret(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

function checksum(text: string): string {
  let rest = crc32(text);
  let encoded = '';
  for (let i = 0; i < checksumChars; i += 1) {
    encoded = alphabet.charAt(rest % 62) + encoded;
    rest = Math.floor(rest / 62);
  }
  return encoded;
}

/** Every character equally likely: bytes past the largest multiple of 62 are thrown away. */
function randomText(nChars: number, randomBytes: (nBytes: number) => Uint8Array): string {
  let text = '';
  while (text.length < nChars) {
    for (const byte of randomBytes(nChars)) {
      if (byte < 248 && text.length < nChars) text += alphabet.charAt(byte % 62);
    }
  }
  return text;
}
