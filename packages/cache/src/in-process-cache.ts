import type { AssignmentCache, NowMs } from '@bandit/contracts';
import { LRUCache } from 'lru-cache';

export interface InProcessCacheOptions {
  /** Milliseconds; only differences matter. */
  readonly nowMs: NowMs;
  /** Most entries held; past it the least recently used goes. */
  readonly entriesMax: number;
}

interface Entry {
  readonly value: string;
  readonly expiresAtMs: number;
}

/**
 * The assignment cache of one process (embedded default): what Redis is between several. Expired entries are found
 * absent; they leave memory when they are looked up or pushed out. A crash empties it, which loses nothing.
 */
export function createInProcessCache({ nowMs, entriesMax }: InProcessCacheOptions): AssignmentCache {
  const entries = new LRUCache<string, Entry>({ max: entriesMax });
  let isClosed = false;

  const findLive = (key: string): string | undefined => {
    const entry = entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.expiresAtMs > nowMs()) return entry.value;
    entries.delete(key);
    return undefined;
  };
  const store = (key: string, value: string, ttlMs: number) => {
    if (ttlMs > 0) entries.set(key, { value, expiresAtMs: nowMs() + ttlMs });
  };

  return {
    find: async (key) => (isClosed ? undefined : findLive(key)),
    put: (key, value, ttlMs) => {
      if (!isClosed) store(key, value, ttlMs);
    },
    remove: async (keys) => {
      for (const key of keys) entries.delete(key);
    },
    claim: async (key, value, ttlMs) => {
      if (isClosed) throw new Error('the assignment cache is closed');
      const held = findLive(key);
      if (held !== undefined) return held;
      store(key, value, ttlMs);
      return value;
    },
    isConnected: () => !isClosed,
    close: async () => {
      isClosed = true;
      entries.clear();
    },
  };
}
