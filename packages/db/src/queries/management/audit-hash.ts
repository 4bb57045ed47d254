import { createHash } from 'node:crypto';

/** What an audit hash covers. `details` is a JSON object; `atMs` milliseconds since the epoch. */
export interface AuditFacts {
  readonly companyId: string;
  readonly seq: number;
  readonly id: string;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly atMs: number;
}

/** `prev_hash` of a company's first audit row. */
export const firstPreviousHash: Uint8Array = new Uint8Array(32);

/** SHA-256(previousHash || canonical JSON of {companyId, seq, id, actor, action, target, details, at}). */
export function auditHash(previousHash: Uint8Array, facts: AuditFacts): Buffer {
  const { atMs, ...rest } = facts;
  const text = canonicalJson({ ...rest, at: new Date(atMs).toISOString() });
  return createHash('sha256').update(previousHash).update(text, 'utf8').digest();
}

/**
 * JSON text that does not depend on the order in which keys were written: keys sorted by UTF-16 code unit, no white
 * space, numbers and strings as JSON.stringify writes them, undefined members left out (RFC 8785).
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}
