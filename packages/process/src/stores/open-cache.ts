import { createInProcessCache, createRedisCache } from '@bandit/cache';
import { type AssignmentCache, limits } from '@bandit/contracts';
import type { ProcessContext } from '../process-context.ts';

export interface OpenedCache {
  readonly cache: AssignmentCache;
  /** Other processes share it: it can arbitrate between them. */
  readonly isShared: boolean;
}

/** Redis where it is configured, else a cache inside this process. */
export function openCache({ config, nowMs, monotonicMs, log, owns }: ProcessContext): OpenedCache {
  const { redisUrl } = config;
  const cache =
    redisUrl === undefined
      ? createInProcessCache({ nowMs, entriesMax: limits.inProcessCacheEntriesMax })
      : createRedisCache({ url: redisUrl, name: 'assignment', log, nowMs: monotonicMs });
  owns('cache', () => cache.close());
  return { cache, isShared: redisUrl !== undefined };
}
