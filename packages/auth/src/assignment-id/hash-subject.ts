import { hkdfSync } from 'node:crypto';
import { createMac } from './create-mac.ts';
import type { MacKey } from './mac-keys.ts';

/** A company id and a user id of 256 characters, with room. */
const messageBytesMax = 4_096;

/**
 * Hash of a company's end user, by which an erased one is known again: HMAC-SHA-256 under a key of its own, derived from a
 * MAC key. That key must be the oldest there is, so that a rotation changes no hash. Without ASSIGNMENT_SECRET nobody can
 * try user ids against what the database holds.
 */
export function createSubjectHash({ key }: MacKey): (companyId: string, userId: string) => Uint8Array {
  const derived = new Uint8Array(hkdfSync('sha256', key, '', 'bandit erased subjects v1', 32));
  const mac = createMac(derived, messageBytesMax, 32);
  // Company ids hold no NUL.
  return (companyId, userId) => mac(Buffer.from(`${companyId}\0${userId}`));
}
