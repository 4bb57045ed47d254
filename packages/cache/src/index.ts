export * from './in-process-cache.ts';
export {
  type CacheCounts,
  createRedisCache,
  type RedisCache,
  type RedisCacheOptions,
} from './redis/create-redis-cache.ts';
