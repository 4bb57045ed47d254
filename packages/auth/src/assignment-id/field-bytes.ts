/**
 * The bytes under an assignment id, version 1: version, MAC key id, company, experiment, treatment, nonce (16),
 * assigned and expiry (48-bit milliseconds), propensity and confidence (doubles, exact), state version (48 bits), user.
 */
import { type AssignmentFields, idPrefixes } from '@bandit/contracts';

const version = 1;
/** Most bytes of the fields, as encoded. */
export const fieldBytesMax = 2_048;
const scratch = Buffer.alloc(fieldBytesMax);
const nonceBytes = 16;
const standard = 0;
const verbatim = 1;

/** @returns a view of this module's memory, good until the next call */
export function encodeFields(fields: AssignmentFields): Buffer {
  let at = scratch.writeUInt8(version, 0);
  at = writeText(fields.macKeyId, at);
  at = writeId(fields.companyId, idPrefixes.company, at);
  at = writeId(fields.experimentId, idPrefixes.experiment, at);
  at = writeId(fields.treatmentId, idPrefixes.treatment, at);
  if (fields.nonce.length !== nonceBytes) {
    throw new RangeError(`the nonce of an assignment must have 16 bytes, got ${fields.nonce.length}`);
  }
  scratch.set(fields.nonce, at);
  at = scratch.writeUIntBE(fields.assignedAtMs, at + nonceBytes, 6);
  at = scratch.writeUIntBE(fields.expiresAtMs, at, 6);
  at = scratch.writeDoubleBE(fields.propensity ?? Number.NaN, at);
  at = scratch.writeDoubleBE(fields.confidence, at);
  at = scratch.writeUIntBE(fields.stateVersion, at, 6);
  at = writeText(fields.userId, at);
  return scratch.subarray(0, at);
}

/** Of bytes whose MAC was right; undefined where they are of another version. */
export function decodeFields(bytes: Buffer): AssignmentFields | undefined {
  if (bytes[0] !== version) return undefined;
  const macKeyId = readText(bytes, 1);
  const companyId = readId(bytes, idPrefixes.company, macKeyId.end);
  const experimentId = readId(bytes, idPrefixes.experiment, companyId.end);
  const treatmentId = readId(bytes, idPrefixes.treatment, experimentId.end);
  const at = treatmentId.end;
  const propensity = bytes.readDoubleBE(at + 28);
  return {
    macKeyId: macKeyId.text,
    companyId: companyId.text,
    experimentId: experimentId.text,
    treatmentId: treatmentId.text,
    nonce: Buffer.from(bytes.subarray(at, at + 16)),
    assignedAtMs: bytes.readUIntBE(at + 16, 6),
    expiresAtMs: bytes.readUIntBE(at + 22, 6),
    propensity: Number.isNaN(propensity) ? undefined : propensity,
    confidence: bytes.readDoubleBE(at + 36),
    stateVersion: bytes.readUIntBE(at + 44, 6),
    userId: readText(bytes, at + 50).text,
  };
}

/** The id of the key that signed, before anything else of the bytes may be believed. */
export function readMacKeyId(bytes: Buffer): string | undefined {
  const length = bytes[0] === version ? bytes.readUInt16BE(1) : Number.NaN;
  return length <= 64 && bytes.length > 3 + length ? bytes.toString('latin1', 3, 3 + length) : undefined;
}

interface Read {
  readonly text: string;
  readonly end: number;
}

function writeText(text: string, at: number): number {
  const nBytes = scratch.write(text, at + 2);
  if (at + 2 + nBytes >= fieldBytesMax - 128)
    throw new RangeError(`an assignment id cannot hold ${text.length} characters`);
  scratch.writeUInt16BE(nBytes, at);
  return at + 2 + nBytes;
}

function readText(bytes: Buffer, at: number): Read {
  const end = at + 2 + bytes.readUInt16BE(at);
  return { text: bytes.toString('utf8', at + 2, end), end };
}

/** 16 bytes in base64url, canonically: the last character carries two bits. */
const canonical = /^[A-Za-z0-9_-]{21}[AQgw]$/;

/** Ids made by makeId shrink to their 16 bytes; any other stands as it is. */
function writeId(id: string, prefix: string, at: number): number {
  if (id.length === prefix.length + 23 && id.startsWith(prefix) && id[prefix.length] === '_') {
    const body = id.slice(prefix.length + 1);
    if (canonical.test(body)) {
      scratch[at] = standard;
      scratch.write(body, at + 1, 'base64url');
      return at + 17;
    }
  }
  scratch[at] = verbatim;
  return writeText(id, at + 1);
}

function readId(bytes: Buffer, prefix: string, at: number): Read {
  if (bytes[at] !== standard) return readText(bytes, at + 1);
  return { text: `${prefix}_${bytes.toString('base64url', at + 1, at + 17)}`, end: at + 17 };
}
