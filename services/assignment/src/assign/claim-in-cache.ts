import { createHash } from 'node:crypto';
import { type AssignmentCache, limits } from '@bandit/contracts';
import { parseCachedValue } from './cached-value.ts';

/**
 * While the database is away the shared cache arbitrates: the first claim of a user's key wins.
 *
 * A key may hold what no longer counts (a removed treatment, garbage). It is not removed and claimed again: of two
 * processes doing so the slower one would remove the quicker one's fresh claim, and the user would have two. Instead
 * both claim one further key that is named after what has to make way, which again only one of them wins.
 *
 * @param isServed does this value still decide what its user gets?
 * @returns the value that holds now: the own one or another process's; undefined when none could be agreed on
 * @throws when the cache is away
 */
export async function claimInCache(
  cache: Pick<AssignmentCache, 'claim' | 'put'>,
  key: string,
  value: string,
  ttlMs: number,
  isServed: (value: string) => boolean,
): Promise<string | undefined> {
  let place = key;
  for (let attempt = 0; attempt < limits.claimAttemptsMax; attempt++) {
    const winner = await cache.claim(place, value, ttlMs);
    if (winner === value || isServed(winner)) {
      if (place !== key) cache.put(key, winner, ttlMs);
      return winner;
    }
    place = keyAfter(key, parseCachedValue(winner).assignmentId);
  }
  return undefined;
}

/** All places that hold something of a user's key, as far as they lead from one to the next. */
export async function findChainOfKeys(cache: Pick<AssignmentCache, 'find'>, key: string): Promise<string[]> {
  const keys = [key];
  for (let place = key; keys.length <= limits.claimAttemptsMax; ) {
    const value = await cache.find(place);
    if (value === undefined) break;
    place = keyAfter(key, parseCachedValue(value).assignmentId);
    keys.push(place);
  }
  return keys;
}

/** Another prefix than any user's key has; the hash keeps it short. */
const keyAfter = (key: string, assignmentId: string) =>
  `after:${createHash('sha256').update(assignmentId).digest('base64url')}:${key}`;
