/** The cache contract on a Redis that others use too (TEST_REDIS_URL, else the local default), by a prefix of its own. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { startRedisCluster } from '@bandit/test-stores';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { testCacheContract } from '../cache-contract.ts';
import { needsRedisServer, openCache, patientMs, until } from './fixtures.ts';

t.setTimeout(120_000);
const url = process.env.TEST_REDIS_URL ?? 'redis://127.0.0.1:6379';

/** Time passes in the server: its clock cannot be set. */
const setUpOn = (at: string, keyPrefix: () => string) => async (t: Test) => {
  const { cache } = openCache(t, at, { keyPrefix: keyPrefix(), timeoutMs: patientMs });
  await until(() => cache.isConnected(), 'it connects');
  return { cache, advance: (ms: number) => delay(ms) };
};

t.test('the cache contract on the shared Redis', async (t) => {
  const admin = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  admin.on('error', () => undefined);
  const reason = await admin.connect().then(
    () => undefined,
    (error: Error) => error.message,
  );
  if (reason !== undefined) {
    if (process.env.CI_REQUIRE_STORES === '1')
      throw new Error(`CI_REQUIRE_STORES=1, but Redis is not reachable: ${reason}`);
    console.warn(`NOT TESTED ON REDIS: no server for the tests at TEST_REDIS_URL (${reason})`);
    t.plan(0, `Redis is not reachable: ${reason}`);
    return;
  }
  const prefix = `test:${randomUUID()}:`;
  t.teardown(async () => {
    const keys = await admin.keys(`${prefix}*`);
    if (keys.length > 0) await admin.unlink(...keys);
    admin.disconnect();
  });
  await testCacheContract(
    t,
    setUpOn(url, () => `${prefix}${randomUUID()}:`),
  );
});

t.test('the cache contract on a Redis Cluster', needsRedisServer(), async (t) => {
  const cluster = await startRedisCluster();
  t.teardown(() => cluster.stop());
  await testCacheContract(
    t,
    setUpOn(cluster.urls.join(','), () => `${randomUUID()}:`),
  );
});
