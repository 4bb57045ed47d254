import type { CacheLog } from './cache-log.ts';
import type { RedisClient } from './redis-client.ts';

/** The first that lets SET take NX and GET together: what `claim` stands on. */
const versionMin = 7;

/**
 * Looks at each server that answers and says, once, what an operator must change. Best effort: a user without the right
 * to ask for INFO gets no advice.
 */
export function createServerCheck(
  client: Pick<RedisClient, 'describe'>,
  isCluster: boolean,
  log: CacheLog,
): () => Promise<void> {
  let isSaid = false;
  return async () => {
    const servers = await client.describe().catch(() => []);
    if (isSaid) return;
    const versions = servers.map((info) => /^redis_version:(\S+)/m.exec(info)?.[1] ?? String(versionMin));
    const old = versions.find((version) => Number.parseInt(version, 10) < versionMin);
    const isNodeOfCluster = !isCluster && servers.some((info) => /^redis_mode:cluster/m.test(info));
    isSaid = old !== undefined || isNodeOfCluster;
    if (old !== undefined)
      log.error(
        { version: old, versionMin },
        `Redis is older than ${versionMin}.0: it cannot arbitrate assignments while the database is away`,
      );
    if (isNodeOfCluster)
      log.error(
        {},
        'REDIS_URL names one node of a Redis Cluster: give several, with commas between, to use all of it',
      );
  };
}
