import { randomBytes } from 'node:crypto';
import { createTestDatabase } from '@bandit/db/testing';
import type { Test } from 'tap';
import { cleanStores } from '../fleet/clean-stores.ts';
import { natsUrl, redisUrl } from '../fleet/start-fleet.ts';

/**
 * A database of the test's own, and a corner of the shared NATS and Redis that nobody else uses.
 *
 * @returns the environment that puts a platform on them; gone with the test, after the processes that it starts later
 */
export async function openRealStores(t: Test): Promise<Readonly<Record<string, string>>> {
  const { target } = await createTestDatabase(t, { kind: 'postgres', max: 1 });
  if (!('connectionString' in target)) throw new Error('real stores need a real Postgres');
  const databaseUrl = target.connectionString;
  const natsPrefix = `test-${randomBytes(6).toString('hex')}`;
  t.teardown(() => cleanStores({ databaseUrl, natsUrl, natsPrefix, redisUrl }));
  return { DATABASE_URL: databaseUrl, NATS_URL: natsUrl, NATS_PREFIX: natsPrefix, REDIS_URL: redisUrl };
}
