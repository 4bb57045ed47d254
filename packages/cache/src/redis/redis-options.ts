import { limits } from '@bandit/contracts';
import type { RedisTarget } from './parse-redis-url.ts';

/**
 * Of each connection. ioredis would by itself keep commands while Redis is away, send them again up to 20 times and
 * wait for an answer for ever: here a command goes to a living connection, once, or fails.
 */
export function connectionOptions({ username, password, db, isTls, seeds, isCluster }: RedisTarget) {
  const tls = isCluster ? {} : { servername: seeds[0]!.host };
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(isTls ? { tls } : {}),
    db,
    protocol: 3,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // The caller has left long before (`cacheTimeoutMs`); this bounds what lies in memory, and each step of the handshake.
    commandTimeout: limits.cacheCommandTimeoutMs,
    connectTimeout: limits.cacheConnectTimeoutMs,
    // Commands were sent and nothing came: the connection may have died without a word. A new one finds out.
    socketTimeout: limits.cacheSocketTimeoutMs,
    disconnectTimeout: limits.cacheCloseTimeoutMs,
    keepAlive: limits.cacheKeepAliveMs,
    noDelay: true,
    // All commands of one turn of the event loop are one write and one read.
    enableAutoPipelining: true,
    // A server that still loads its file is not connected; asked again this often.
    enableReadyCheck: true,
    maxLoadingRetryTime: limits.cacheReconnectDelayMsMax,
    // After a managed failover the same name leads to another server: the old one refuses writes.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    autoResubscribe: false,
    // Redis 7.0 does not know CLIENT SETINFO.
    disableClientInfo: true,
  } as const;
}

/** A single server: connected in the background for ever. */
export function serverOptions(target: RedisTarget) {
  return {
    ...connectionOptions(target),
    ...target.seeds[0]!,
    lazyConnect: false,
    enableOfflineQueue: false,
    retryStrategy: reconnectDelayMs,
  } as const;
}

/**
 * A cluster: a command is redirected a few times while slots move, never delayed and tried again. The map of slots is
 * read again every `slotsRefreshInterval`, by redirections, and by the probes of a node that does not answer.
 */
export function clusterOptions(target: RedisTarget) {
  return {
    redisOptions: connectionOptions(target),
    lazyConnect: false,
    enableOfflineQueue: false,
    enableReadyCheck: true,
    enableAutoPipelining: true,
    // A replica may be behind: what was put is found, what was removed is not.
    scaleReads: 'master',
    maxRedirections: limits.cacheRedirectionsMax,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: 0,
    retryDelayOnMoved: 0,
    slotsRefreshTimeout: limits.cacheConnectTimeoutMs,
    slotsRefreshInterval: limits.cacheSlotsRefreshIntervalMs,
    clusterRetryStrategy: reconnectDelayMs,
    // A lost node leaves the pool; the next map of slots brings it, or its successor, back.
    clusterNodeRetryStrategy: null,
    // Certificates name hosts: keep the name instead of the address it stands for.
    ...(target.isTls ? { dnsLookup: keepName } : {}),
  } as const;
}

function reconnectDelayMs(attempt: number): number {
  return Math.min(attempt * 50, limits.cacheReconnectDelayMsMax);
}

function keepName(host: string, callback: (error: null, address: string) => void): void {
  callback(null, host);
}
