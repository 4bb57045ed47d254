/** What is left of one caller's share. */
export interface Share {
  readonly isAllowed: boolean;
  /** Whole requests that may still follow at once. */
  readonly remaining: number;
}

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

/**
 * Token buckets by key, in bounded memory: each holds a second's worth and fills continuously, so a caller is never
 * refused for more than a second. At the bound the oldest bucket is forgotten, which favours its caller: forgetting
 * never refuses anyone.
 */
export class TokenBuckets {
  readonly perSecond: number;
  readonly #bucketsMax: number;
  readonly #buckets = new Map<string, Bucket>();

  /** @param perSecond > 0, also the burst */
  constructor(perSecond: number, bucketsMax: number) {
    this.perSecond = perSecond;
    this.#bucketsMax = bucketsMax;
  }

  /** Takes one request's worth from the key's share, or nothing when there is none. */
  take(key: string, nowMs: number): Share {
    const bucket = this.#find(key, nowMs);
    const elapsedMs = Math.max(0, nowMs - bucket.filledAtMs);
    const tokens = Math.min(this.perSecond, bucket.tokens + (elapsedMs * this.perSecond) / 1000);
    const isAllowed = tokens >= 1;
    bucket.tokens = isAllowed ? tokens - 1 : tokens;
    bucket.filledAtMs = nowMs;
    return { isAllowed, remaining: Math.floor(bucket.tokens) };
  }

  get size(): number {
    return this.#buckets.size;
  }

  #find(key: string, nowMs: number): Bucket {
    const known = this.#buckets.get(key);
    if (known !== undefined) return known;
    if (this.#buckets.size >= this.#bucketsMax) {
      // A Map keeps insertion order: the first key is the oldest.
      this.#buckets.delete(this.#buckets.keys().next().value as string);
    }
    const bucket = { tokens: this.perSecond, filledAtMs: nowMs };
    this.#buckets.set(key, bucket);
    return bucket;
  }
}
