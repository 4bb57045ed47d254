import {
  hasNatsServer,
  hasPostgresServer,
  hasRedisServer,
  type NatsCluster,
  type PostgresServer,
  type RedisCluster,
  startNatsCluster,
  startPostgres,
  startRedisCluster,
} from '@bandit/test-stores';
import type { Test } from 'tap';

/** Names the streams: `clusters_EVENTS`, `clusters_RECORDS`. */
export const natsPrefix = 'clusters';

export const assignmentSecret = 'a secret of the assignment ids on clusters and long enough';

export interface Clusters {
  readonly postgres: PostgresServer;
  readonly nats: NatsCluster;
  readonly redis: RedisCluster;
  /** What the fleet is started with. */
  readonly env: Readonly<Record<string, string>>;
}

/** Three NATS servers with JetStream, six Redis servers and one Postgres. They end with the test. */
export async function startClusters(t: Test): Promise<Clusters> {
  const starting = [startPostgres({ settings: { max_connections: '300' } }), startNatsCluster(3)] as const;
  const redisStarting = startRedisCluster();
  const all = await Promise.allSettled([...starting, redisStarting]);
  for (const one of all) if (one.status === 'fulfilled') t.teardown(() => one.value.stop());
  const [postgres, nats] = await Promise.all(starting);
  const redis = await redisStarting;
  const env = {
    NATS_URL: nats.url,
    NATS_REPLICAS: '3',
    NATS_PREFIX: natsPrefix,
    REDIS_URL: redis.urls.join(','),
    ASSIGNMENT_SECRET: assignmentSecret,
    LOG_LEVEL: 'info',
  };
  return { postgres, nats, redis, env };
}

/** Runs the test where the servers are installed; a loud skip elsewhere, and a failure where CI_REQUIRE_STORES=1. */
export function testOnClusters(t: Test, name: string, work: (t: Test) => Promise<void>): void {
  const missing = [
    ...(hasPostgresServer() ? [] : ['Postgres']),
    ...(hasNatsServer() ? [] : ['NATS']),
    ...(hasRedisServer() ? [] : ['Redis']),
  ];
  if (missing.length === 0) return void t.test(name, work);
  const reason = `no server of ${missing.join(', ')} is installed here`;
  if (process.env.CI_REQUIRE_STORES === '1')
    return void t.test(name, async (t) => t.fail(`CI_REQUIRE_STORES=1, but ${reason}`));
  console.warn(`NOT TESTED ON CLUSTERS: ${name} (${reason})`);
  t.test(name, { skip: reason }, () => undefined);
}
