/** Public ids: a prefix that says what it is, then 22 characters of base64url (16 random bytes). */
export const idPrefixes = {
  company: 'cmp',
  member: 'mbr',
  apiKey: 'key',
  experiment: 'exp',
  treatment: 'trt',
  funnel: 'fnl',
  event: 'evt',
  assignment: 'asgn',
  audit: 'aud',
} as const;

export type IdKind = keyof typeof idPrefixes;

/** @param random 16 bytes from the caller's generator (crypto.randomBytes in production) */
export function makeId(kind: IdKind, random: Uint8Array): string {
  return `${idPrefixes[kind]}_${Buffer.from(random).toString('base64url')}`;
}

const idPattern = /^[A-Za-z0-9_-]{1,64}$/;

/** True when `text` could be an id of this kind: right prefix, allowed characters, bounded length. */
export function isWellFormedId(kind: IdKind, text: string): boolean {
  const prefix = `${idPrefixes[kind]}_`;
  return text.startsWith(prefix) && idPattern.test(text);
}

/** The event id under which an assignment itself is listed (decisions, Events): its nonce under the event prefix. */
export function eventIdOfAssignment(nonce: Uint8Array): string {
  return makeId('event', nonce);
}
