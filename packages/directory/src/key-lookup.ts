import { ApiError, type ApiKeySnapshot, limits, withDeadline } from '@bandit/contracts';
import { LRUCache } from 'lru-cache';

export interface KeyLookupDeps {
  /** One query; undefined when no live key has this id. */
  findApiKey(keyId: string): Promise<ApiKeySnapshot | undefined>;
  /** Milliseconds on any clock that only moves forward. */
  nowMs(): number;
}

/**
 * Asks the database about a key id that no snapshot holds. Unknown ids are remembered for `unknownKeyCacheTtlMs`,
 * simultaneous look-ups of one id share one query, and at most `keyLookupsInFlightMax` queries run at once.
 *
 * @throws ApiError OVERLOADED past that bound, STORE_UNAVAILABLE when the database does not answer
 */
export function createKeyLookup({ findApiKey, nowMs }: KeyLookupDeps) {
  const unknown = new LRUCache<string, true>({
    max: limits.unknownKeyCacheEntriesMax,
    ttl: limits.unknownKeyCacheTtlMs,
    ttlResolution: 0,
    perf: { now: nowMs },
  });
  const inFlight = new Map<string, Promise<ApiKeySnapshot | undefined>>();

  async function ask(keyId: string): Promise<ApiKeySnapshot | undefined> {
    try {
      const asked = findApiKey(keyId);
      const key = await withDeadline(asked, limits.keyLookupTimeoutMs, `the look-up of API key ${keyId}`);
      if (!key) unknown.set(keyId, true);
      return key;
    } catch (cause) {
      throw new ApiError('STORE_UNAVAILABLE', 'The API key could not be checked; try again.', { cause });
    } finally {
      inFlight.delete(keyId);
    }
  }

  return async function lookUpKey(keyId: string): Promise<ApiKeySnapshot | undefined> {
    if (unknown.has(keyId)) return undefined;
    const waiting = inFlight.get(keyId);
    if (waiting) return waiting;
    if (inFlight.size >= limits.keyLookupsInFlightMax) {
      throw new ApiError('OVERLOADED', 'Too many unknown API keys are being checked; try again.');
    }
    const asking = ask(keyId);
    inFlight.set(keyId, asking);
    return asking;
  };
}
