/**
 * The assignment cache port: a shared read cache in front of the database (Redis, or in process on the embedded
 * default). It may be dropped or found empty at any moment. Values are opaque to it.
 */
export interface AssignmentCache {
  /** undefined when absent, expired, away or slower than `cacheTimeoutMs`: never throws. */
  find(key: string): Promise<string | undefined>;
  /** Stores beside the answer; failures are counted, never thrown. */
  put(key: string, value: string, ttlMs: number): void;
  remove(keys: readonly string[]): Promise<void>;
  /**
   * Arbiter while the database is away: stores `value` unless the key holds one, and returns what it holds now.
   * Rejects when the cache is away too.
   */
  claim(key: string, value: string, ttlMs: number): Promise<string>;
  isConnected(): boolean;
  close(): Promise<void>;
}
