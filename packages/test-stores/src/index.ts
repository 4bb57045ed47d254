/** Own instances of the real stores on free ports, for tests that stop and kill them. */

export { findFreePort } from './find-free-port.ts';
export { hasNatsServer } from './nats/find-nats-server.ts';
export { type NatsOptions, type NatsServer, startNats } from './nats/start-nats.ts';
export { type NatsCluster, startNatsCluster } from './nats/start-nats-cluster.ts';
export { hasPostgresServer } from './postgres/find-postgres-server.ts';
export { type PostgresOptions, type PostgresServer, startPostgres } from './postgres/start-postgres.ts';
export { hasRedisServer } from './redis/redis-process.ts';
export { type RedisOptions, type RedisServer, startRedis } from './redis/start-redis.ts';
export { type RedisCluster, type RedisClusterNode, startRedisCluster } from './redis/start-redis-cluster.ts';
export { startTcpProxy, type TcpProxy, type TcpProxyOptions } from './tcp-proxy.ts';
