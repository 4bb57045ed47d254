/** Own instances of the real stores on free ports, for tests that stop and kill them. */

export { findFreePort } from './find-free-port.ts';
export { hasPostgresServer } from './postgres/find-postgres-server.ts';
export { type PostgresOptions, type PostgresServer, startPostgres } from './postgres/start-postgres.ts';
export { hasRedisServer } from './redis/redis-process.ts';
export { type RedisOptions, type RedisServer, startRedis } from './redis/start-redis.ts';
export { type RedisCluster, type RedisClusterNode, startRedisCluster } from './redis/start-redis-cluster.ts';
export { startTcpProxy, type TcpProxy, type TcpProxyOptions } from './tcp-proxy.ts';
