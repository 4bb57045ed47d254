import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';

/** A key that signs assignment ids: 32 random bytes under a short id. */
export interface MacKey {
  readonly id: string;
  readonly key: Uint8Array;
}

const nonceBytes = 12;
const tagBytes = 16;
const gcm = { authTagLength: tagBytes };

/**
 * Wraps a key for the database: AES-256-GCM under HKDF-SHA-256 of ASSIGNMENT_SECRET, bound to the key's id.
 *
 * @returns nonce, tag and ciphertext in one
 */
export function wrapMacKey(
  key: MacKey,
  secret: string,
  randomBytes: (nBytes: number) => Uint8Array,
): Uint8Array {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', wrappingKey(secret), nonce, gcm).setAAD(Buffer.from(key.id));
  const sealed = Buffer.concat([cipher.update(key.key), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
}

/** @throws Error when the secret is not the one it was wrapped with, or the bytes are damaged */
export function unwrapMacKey(id: string, wrapped: Uint8Array, secret: string): MacKey {
  const bytes = Buffer.from(wrapped);
  try {
    const decipher = createDecipheriv('aes-256-gcm', wrappingKey(secret), bytes.subarray(0, nonceBytes), gcm);
    decipher.setAAD(Buffer.from(id)).setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
    const key = Buffer.concat([decipher.update(bytes.subarray(nonceBytes + tagBytes)), decipher.final()]);
    return { id, key };
  } catch (error) {
    throw new Error(
      `the MAC key ${id} cannot be unwrapped: ASSIGNMENT_SECRET is not the one it was stored with`,
      {
        cause: error,
      },
    );
  }
}

function wrappingKey(secret: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', 'bandit assignment MAC keys v1', 32));
}
