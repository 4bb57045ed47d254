import { createInProcessCache, createRedisCache } from '@bandit/cache';
import { type AssignmentCache, limits } from '@bandit/contracts';
import type { ProcessContext } from '../process-context.ts';
import { registerCacheMetrics } from './carrier-metrics.ts';

export interface OpenedCache {
  readonly cache: AssignmentCache;
  /** Other processes share it: it can arbitrate between them. */
  readonly isShared: boolean;
}

/** Redis where it is configured, else a cache inside this process. */
export function openCache(context: ProcessContext): OpenedCache {
  const { config, nowMs, registry, owns } = context;
  if (config.redisUrl !== undefined) return openRedis(context, config.redisUrl);
  const cache = createInProcessCache({ nowMs, entriesMax: limits.inProcessCacheEntriesMax });
  owns('cache', () => cache.close());
  registerCacheMetrics(registry, () => !cache.isConnected(), undefined);
  return { cache, isShared: false };
}

function openRedis({ monotonicMs, registry, log, owns }: ProcessContext, url: string): OpenedCache {
  const cache = createRedisCache({ url, name: 'assignment', log, nowMs: monotonicMs });
  owns('cache', () => cache.close());
  registerCacheMetrics(
    registry,
    () => !cache.isConnected() || cache.isBreakerOpen(),
    cache.counts.bind(cache),
  );
  return { cache, isShared: true };
}
