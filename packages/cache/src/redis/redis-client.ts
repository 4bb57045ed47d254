/**
 * The one file that knows ioredis. A single server and a cluster look alike behind `RedisClient`: commands on a key, the
 * node that answers for a key, a probe of one node. It holds the connections, which open and reopen by themselves in the
 * background; losing them loses nothing but commands in flight, which reject.
 */
import { Cluster, Redis } from 'ioredis';
import { slotOfKey } from './key-slot.ts';
import type { RedisTarget } from './parse-redis-url.ts';
import { clusterOptions, serverOptions } from './redis-options.ts';

export interface RedisClient {
  /** Commands may be sent. */
  isReady(): boolean;
  /** Those that answer for keys now. */
  nodes(): readonly string[];
  /** Host and port of the node that answers for the key. undefined: none is known. */
  nodeOf(key: string): string | undefined;
  get(key: string): Promise<string | null>;
  set(key: string, value: string, ttlMs: number): Promise<unknown>;
  /** What the key held, or null when it now holds `value`. */
  setUnlessHeld(key: string, value: string, ttlMs: number): Promise<string | null>;
  unlink(key: string): Promise<unknown>;
  /** Rejects when the node is not connected; looks for its successor then. */
  ping(node: string): Promise<unknown>;
  /** INFO server of each node that answers. */
  describe(): Promise<string[]>;
  /** Ends at once: what is in flight rejects. */
  close(): void;
}

export interface RedisClientEvents {
  onReady(): void;
  /** May be called again and again for one and the same trouble. */
  onAway(error: Error): void;
}

export function connectRedis(target: RedisTarget, events: RedisClientEvents): RedisClient {
  return target.isCluster ? connectCluster(target, events) : connectServer(target, events);
}

/** The server understood the command and refused it: it is alive. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}

function connectServer(target: RedisTarget, { onReady, onAway }: RedisClientEvents): RedisClient {
  const redis = new Redis(serverOptions(target));
  const { host, port } = target.seeds[0]!;
  const nodes = [`${host}:${port}`];
  redis.on('ready', onReady);
  redis.on('error', onAway);
  redis.on('close', () => onAway(new Error('the connection was closed')));
  return {
    isReady: () => redis.status === 'ready',
    nodes: () => nodes,
    nodeOf: () => nodes[0],
    ...commandsOf(redis),
    ping: () => redis.ping(),
    describe: async () => [await redis.info('server')],
    close: () => redis.disconnect(),
  };
}

function connectCluster(target: RedisTarget, { onReady, onAway }: RedisClientEvents): RedisClient {
  const cluster = new Cluster([...target.seeds], clusterOptions(target));
  let nodes: readonly string[] = [];
  cluster.on('ready', onReady);
  cluster.on('error', (error: Error & { lastNodeError?: Error }) => onAway(error.lastNodeError ?? error));
  cluster.on('close', () => onAway(new Error('the connection to every node was closed')));
  cluster.on('refresh', () => {
    nodes = [...new Set(cluster.slots.flatMap(([owner]) => owner ?? []))];
  });
  // ioredis would connect at the first command, which would wait for it.
  cluster.on('+node', (node: Redis) => {
    if (!node.options.readOnly) node.connect().catch(() => undefined);
  });
  const masters = () => cluster.nodes('master');
  return {
    isReady: () => cluster.status === 'ready',
    nodes: () => nodes,
    nodeOf: (key) => cluster.slots[slotOfKey(key)]?.[0],
    ...commandsOf(cluster),
    ping: async (node) => {
      const found = masters().find(({ options }) => `${options.host}:${options.port}` === node);
      // Also while it is connected: a node that hangs may have been replaced.
      cluster.refreshSlotsCache();
      if (found === undefined) throw new Error(`no connection to ${node}`);
      await found.ping();
    },
    describe: () => Promise.all(masters().map((node) => node.info('server'))),
    close: () => cluster.disconnect(),
  };
}

function commandsOf(redis: Redis | Cluster) {
  return {
    get: (key: string) => redis.get(key),
    set: (key: string, value: string, ttlMs: number) => redis.set(key, value, 'PX', ttlMs),
    setUnlessHeld: (key: string, value: string, ttlMs: number) =>
      redis.set(key, value, 'PX', ttlMs, 'NX', 'GET'),
    unlink: (key: string) => redis.unlink(key),
  };
}
