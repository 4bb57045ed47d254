import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * True when the `Authorization` header carries the operator's token. Takes the same time wherever the two differ;
 * without a configured token nothing matches.
 */
export function isPlatformToken(header: string | undefined, token: string | undefined): boolean {
  if (token === undefined || token === '') return false;
  const given = /^Bearer +(.+)$/i.exec(header ?? '')?.[1] ?? '';
  return timingSafeEqual(sha256(given), sha256(token));
}

const sha256 = (text: string) => createHash('sha256').update(text, 'utf8').digest();
