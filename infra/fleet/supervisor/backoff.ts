import { limits } from '@bandit/contracts';

/**
 * How long a process that ended waits for its next start: doubled with each short life, from the beginning after a
 * steady one.
 *
 * @param previousMs what it waited last time; undefined for the first time
 * @param livedMs how long it lived since then
 */
export function nextBackoffMs(previousMs: number | undefined, livedMs: number): number {
  if (previousMs === undefined || livedMs >= limits.instanceSteadyMs) return limits.instanceBackoffMinMs;
  return Math.min(previousMs * 2, limits.instanceBackoffMaxMs);
}
