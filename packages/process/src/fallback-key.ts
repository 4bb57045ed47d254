import { hkdfSync } from 'node:crypto';

const keyBytes = 16;

/** Key of the draw that all instances make alike while no store answers: from what they share. */
export function deriveFallbackKey(assignmentSecret: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', assignmentSecret, '', 'bandit fallback draw v1', keyBytes));
}
