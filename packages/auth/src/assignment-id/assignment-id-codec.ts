import { timingSafeEqual } from 'node:crypto';
import { type AssignmentFields, idPrefixes } from '@bandit/contracts';
import { createMac, macBytes } from './create-mac.ts';
import { decodeFields, encodeFields, fieldBytesMax, readMacKeyId } from './field-bytes.ts';
import { createSubjectHash } from './hash-subject.ts';
import type { MacKey } from './mac-keys.ts';

const prefix = `${idPrefixes.assignment}_`;
const idCharsMax = 2_048;

export interface AssignmentIdCodec {
  /** The key that new assignments are signed with. */
  readonly currentKeyId: string;
  /** Deterministic: the same fields give the same id. @throws when the key they name is not there */
  sign(fields: AssignmentFields): string;
  /** undefined for whatever does not verify; never throws. One id has one spelling. */
  verify(id: string): AssignmentFields | undefined;
  /** Keyed hash of an end user, 32 bytes, the same whichever key signs. */
  hashSubject(companyId: string, userId: string): Uint8Array;
}

/**
 * Ids that prove themselves: `asgn_` + base64url(fields, HMAC-SHA-256 of them cut to 16 bytes). An event can be accepted
 * with nothing but its id, and an assignment that never reached the database can be restored from it.
 *
 * @param keys at least one: the first signs, all verify
 * @param oldest of them; left out: the last
 */
export function createAssignmentIdCodec(
  keys: readonly MacKey[],
  oldest: MacKey | undefined = keys.at(-1),
): AssignmentIdCodec {
  const [current] = keys;
  if (current === undefined || oldest === undefined)
    throw new Error('assignment ids need at least one MAC key');
  const byId = new Map(keys.map(({ id, key }) => [id, createMac(key, fieldBytesMax)]));
  return {
    currentKeyId: current.id,
    hashSubject: createSubjectHash(oldest),
    sign: (fields) => {
      const mac = byId.get(fields.macKeyId);
      if (mac === undefined) throw new Error(`the MAC key ${fields.macKeyId} of an assignment is not there`);
      const bytes = encodeFields(fields);
      return prefix + Buffer.concat([bytes, mac(bytes)]).toString('base64url');
    },
    verify: (id) => {
      if (!id.startsWith(prefix) || id.length > idCharsMax) return undefined;
      const text = id.slice(prefix.length);
      const all = Buffer.from(text, 'base64url');
      // The decoder forgives padding, line breaks and stray bits: only the canonical spelling counts.
      if (all.length <= macBytes || all.toString('base64url') !== text) return undefined;
      const bytes = all.subarray(0, -macBytes);
      const mac = byId.get(readKeyId(bytes) ?? '');
      if (mac === undefined || !timingSafeEqual(mac(bytes), all.subarray(-macBytes))) return undefined;
      return decodeFields(bytes);
    },
  };
}

function readKeyId(bytes: Buffer): string | undefined {
  return bytes.length < 4 ? undefined : readMacKeyId(bytes);
}
