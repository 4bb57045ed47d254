import { hash } from 'node:crypto';

const blockBytes = 64;
const digestBytes = 32;
const innerPad = 0x36;
const outerPad = 0x5c;
/** Half of SHA-256: 128 bits, as HMAC allows (RFC 2104, section 5). */
export const macBytes = 16;

/**
 * HMAC-SHA-256, cut to 16 bytes unless told otherwise, with the key's two blocks prepared once. Node's createHmac sets the key up again with every
 * call: 35 µs where two one-shot hashes took 6 on the same (busy) machine. Source: RFC 2104.
 *
 * @param key          at most 64 bytes
 * @param messageBytes most bytes of a message; longer ones throw
 * @param nBytes       of the MAC, at most 32
 * @returns the MAC of a message; the caller owns it
 */
export function createMac(
  key: Uint8Array,
  messageBytes: number,
  nBytes: number = macBytes,
): (message: Uint8Array) => Buffer {
  if (key.length > blockBytes) throw new RangeError(`a MAC key has at most 64 bytes, got ${key.length}`);
  const inner = Buffer.alloc(blockBytes + messageBytes);
  const outer = Buffer.alloc(blockBytes + digestBytes);
  for (let i = 0; i < blockBytes; i += 1) {
    const byte = key[i] ?? 0;
    inner[i] = byte ^ innerPad;
    outer[i] = byte ^ outerPad;
  }
  return (message) => {
    inner.set(message, blockBytes);
    outer.set(hash('sha256', inner.subarray(0, blockBytes + message.length), 'buffer'), blockBytes);
    return hash('sha256', outer, 'buffer').subarray(0, nBytes);
  };
}
