import { setTimeout as delay } from 'node:timers/promises';
import { hasRedisServer } from '@bandit/test-stores';
import type { Test } from 'tap';
import { createRedisCache, type RedisCache, type RedisCacheOptions } from '../../src/index.ts';

/** Generous: on a busy machine a reply may well take longer than the 8 ms of production. */
export const patientMs = 5_000;

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly details: object;
  readonly message: string;
}

export type OpenedCache = { readonly cache: RedisCache; readonly lines: LogLine[] };

/** Closed at teardown; its log lines are kept. */
export function openCache(t: Test, url: string, options: Partial<RedisCacheOptions> = {}): OpenedCache {
  const lines: LogLine[] = [];
  const say = (level: LogLine['level']) => (details: object, message: string) =>
    lines.push({ level, details, message });
  const log = { info: say('info'), warn: say('warn'), error: say('error') };
  const cache = createRedisCache({ url, name: 'test', log, nowMs: () => performance.now(), ...options });
  t.teardown(() => cache.close());
  return { cache, lines };
}

export async function until(
  isTrue: () => boolean | Promise<boolean>,
  what: string,
  msMax = 30_000,
): Promise<void> {
  const deadline = AbortSignal.timeout(msMax);
  while (!(await isTrue())) {
    if (deadline.aborted) throw new Error(`not within ${msMax} ms: ${what}`);
    await delay(5);
  }
}

/** Options of a test that starts a Redis of its own: a loud skip without one, a failure where CI_REQUIRE_STORES=1. */
export function needsRedisServer(): { skip?: string } {
  if (hasRedisServer()) return {};
  if (process.env.CI_REQUIRE_STORES === '1')
    throw new Error('CI_REQUIRE_STORES=1, but redis-server and redis-cli are not installed');
  console.warn('NOT TESTED ON REDIS: redis-server and redis-cli are not installed');
  return { skip: 'redis-server is not installed' };
}

/** Milliseconds that the work took, and what it gave. */
export async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; value: T }> {
  const startedMs = performance.now();
  const value = await work();
  return { ms: performance.now() - startedMs, value };
}
