/**
 * 32-bit hash of a key and its value, over UTF-16 code units: FNV-1a, then the finaliser of MurmurHash3
 * (Appleby), so that low and high bits are both usable. Not for secrets.
 *
 * @returns unsigned 32-bit integer
 */
export function hashPair(key: string, value: string): number {
  return finalise(addString(addString(0x811c9dc5, key) ^ 0x5f, value));
}

function addString(start: number, text: string): number {
  let hash = start;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

function finalise(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
