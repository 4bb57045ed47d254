import { type AssignmentCache, limits, type NowMs } from '@bandit/contracts';
import { type CacheLog, ConnectionLog } from './cache-log.ts';
import { createServerCheck } from './check-servers.ts';
import { InFlight } from './in-flight.ts';
import { NodeBreakers } from './node-breakers.ts';
import { parseRedisUrl } from './parse-redis-url.ts';
import { connectRedis, isRefusal, type RedisClient } from './redis-client.ts';
import { late, within } from './within.ts';

export interface RedisCacheOptions {
  /** One redis:// or rediss:// URL, or several with commas between: the seeds of a Redis Cluster. */
  readonly url: string;
  /** Stands on each log line. */
  readonly name: string;
  readonly log: CacheLog;
  /** Milliseconds; only differences matter. */
  readonly nowMs: NowMs;
  /** Default: `cacheTimeoutMs`. A claim waits `cacheClaimTimeoutMs` at least. */
  readonly timeoutMs?: number;
  /** Put before each key. Default: nothing. */
  readonly keyPrefix?: string;
}

/** Since the start. A find is one hit or miss, or else a timeout, failure or drop; other commands count only as the last three. */
export interface CacheCounts {
  readonly hits: number;
  readonly misses: number;
  /** Not answered within the deadline. */
  readonly timeouts: number;
  /** The connection broke, or Redis refused the command. */
  readonly failures: number;
  /** Never sent: Redis away, breaker open, or too many in flight. */
  readonly dropped: number;
}

export interface RedisCache extends AssignmentCache {
  /** Connected, and at least one node's breaker is closed. */
  isConnected(): boolean;
  counts(): CacheCounts;
  /** Of any node. */
  isBreakerOpen(): boolean;
}

/**
 * The assignment cache that processes share. Redis need not be there, now or ever: without it everything is a miss.
 * It holds counters, commands in flight and one breaker per node; a crash loses none that matters. A claim that was
 * acknowledged by a master that dies before it replicates is lost with it: the database decides once it is back.
 */
export function createRedisCache(options: RedisCacheOptions): RedisCache {
  return new SharedCache(options);
}

type Outcome<T> = { readonly is: 'answered'; readonly value: T } | { readonly is: keyof CacheCounts };

const dropped = { is: 'dropped' } as const;
const timedOut = { is: 'timeouts' } as const;
const failed = { is: 'failures' } as const;
const ttlMsMax = limits.assignmentTtlSecondsMax * 1_000;

class SharedCache implements RedisCache {
  readonly #client: RedisClient;
  readonly #breakers: NodeBreakers;
  readonly #nowMs: NowMs;
  readonly #timeoutMs: number;
  readonly #keyPrefix: string;
  readonly #reads = new InFlight(limits.cacheReadsInFlightMax);
  readonly #writes = new InFlight(limits.cacheWritesInFlightMax);
  readonly #counts = { hits: 0, misses: 0, timeouts: 0, failures: 0, dropped: 0 };
  #isClosed = false;
  #closing: Promise<void> | undefined;

  constructor({
    url,
    name,
    log,
    nowMs,
    timeoutMs = limits.cacheTimeoutMs,
    keyPrefix = '',
  }: RedisCacheOptions) {
    const named = nameLines(log, name, () => this.#isClosed);
    const connection = new ConnectionLog(named);
    const target = parseRedisUrl(url);
    this.#client = connectRedis(target, {
      onReady: () => {
        connection.back();
        void checkServers();
      },
      onAway: (error) => connection.away(error, isRefusal(error)),
    });
    const checkServers = createServerCheck(this.#client, target.isCluster, named);
    this.#breakers = new NodeBreakers({ client: this.#client, slowMs: timeoutMs, nowMs, log: named });
    this.#nowMs = nowMs;
    this.#timeoutMs = timeoutMs;
    this.#keyPrefix = keyPrefix;
  }

  async find(key: string): Promise<string | undefined> {
    const outcome = await this.#send(this.#reads, key, this.#client.get);
    if (outcome.is !== 'answered') return undefined;
    this.#counts[outcome.value === null ? 'misses' : 'hits']++;
    return outcome.value ?? undefined;
  }

  put(key: string, value: string, ttlMs: number): void {
    if (!(ttlMs > 0)) return;
    void this.#send(this.#writes, key, (full) => this.#client.set(full, value, expiryMs(ttlMs)));
  }

  /** One command a key: in a cluster they live in different slots. */
  async remove(keys: readonly string[]): Promise<void> {
    await Promise.all(keys.map((key) => this.#send(this.#writes, key, this.#client.unlink)));
  }

  async claim(key: string, value: string, ttlMs: number): Promise<string> {
    if (this.#isClosed) throw new Error('the assignment cache is closed');
    const command = (full: string) =>
      ttlMs > 0 ? this.#client.setUnlessHeld(full, value, expiryMs(ttlMs)) : this.#client.get(full);
    const timeoutMs = Math.max(this.#timeoutMs, limits.cacheClaimTimeoutMs);
    const outcome = await this.#send(this.#reads, key, command, timeoutMs);
    if (outcome.is === 'answered') return outcome.value ?? value;
    throw new Error(`the assignment cache did not take the claim: ${describeFailure(outcome.is)}`);
  }

  isConnected(): boolean {
    return !this.#isClosed && this.#client.isReady() && !this.#breakers.areAllOpen();
  }

  isBreakerOpen(): boolean {
    return this.#breakers.isAnyOpen();
  }

  counts(): CacheCounts {
    return { ...this.#counts };
  }

  /** Gives what is in flight a moment to arrive; a Redis that hangs costs that moment and no more. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#closing ??= (async () => {
      const sent = Promise.all([this.#reads.whenEmpty(), this.#writes.whenEmpty()]);
      await within(sent, limits.cacheCloseTimeoutMs);
      this.#breakers.end();
      this.#client.close();
    })();
    return this.#closing;
  }

  /** Never rejects, and never lasts longer than the deadline. */
  async #send<T>(
    inFlight: InFlight,
    key: string,
    command: (fullKey: string) => Promise<T>,
    timeoutMs = this.#timeoutMs,
  ): Promise<Outcome<T>> {
    const fullKey = this.#keyPrefix + key;
    const node = this.#isClosed || !this.#client.isReady() ? undefined : this.#client.nodeOf(fullKey);
    const breaker = node === undefined ? undefined : this.#breakers.of(node);
    if (breaker === undefined || breaker.isOpen() || inFlight.isFull()) return this.#count(dropped);
    const sentMs = this.#nowMs();
    try {
      const value = await within(inFlight.add(command(fullKey)), timeoutMs);
      if (value !== late) {
        breaker.succeed();
        return { is: 'answered', value };
      }
      breaker.fail(sentMs);
      return this.#count(timedOut);
    } catch (error) {
      if (!isRefusal(error)) breaker.fail(sentMs);
      return this.#count(failed);
    }
  }

  #count(outcome: { readonly is: keyof CacheCounts }): { readonly is: keyof CacheCounts } {
    this.#counts[outcome.is]++;
    return outcome;
  }
}

/** Redis takes whole milliseconds from 1 up to what an int64 holds; nothing here lives longer than an assignment may. */
function expiryMs(ttlMs: number): number {
  return Math.min(Math.ceil(ttlMs), ttlMsMax);
}

function describeFailure(kind: keyof CacheCounts): string {
  if (kind === 'timeouts') return 'no answer in time, so its outcome is unknown';
  return kind === 'dropped' ? 'Redis is away' : 'the connection broke or Redis refused it';
}

function nameLines(log: CacheLog, cache: string, isMuted: () => boolean): CacheLog {
  const say = (level: keyof CacheLog) => (details: object, message: string) => {
    if (!isMuted()) log[level]({ cache, ...details }, message);
  };
  return { info: say('info'), warn: say('warn'), error: say('error') };
}
