/**
 * The record keeper: puts answered decisions into the stream RECORDS, so that they outlive this process while the
 * database is away.
 *
 * Holds a breaker of its own, so that with RECORDS away too answers do not wait for it. Requests put and wait up to
 * `recordPutTimeoutMs`; what failed stays in the memory queue, from which the breaker's probe puts it again. Modes are
 * the breaker's: closed (puts are waited for), open (nothing is put but by the probe). A crash loses nothing of its own.
 */
import { limits, type RecordStream } from '@bandit/contracts';
import { Breaker, type BreakerDeps } from './breaker.ts';
import type { LateCounts } from './late-counts.ts';
import { type AssignmentRecord, toStoredRecord } from './record-message.ts';
import { lateResult, settleWithin } from './settle-within.ts';
import type { Unrecorded, UnrecordedQueue } from './unrecorded-queue.ts';

export interface RecordKeeperDeps extends Pick<BreakerDeps, 'nowMs' | 'log'> {
  /** undefined: there is no such stream (embedded default). */
  records: Pick<RecordStream, 'put'> | undefined;
  queue: UnrecordedQueue;
  counts: LateCounts;
  probeIntervalMs: number;
}

export class RecordKeeper {
  readonly #deps: RecordKeeperDeps;
  readonly #breaker: Breaker;
  #nInFlight = 0;
  #nFailed = 0;
  #failingSinceMs = 0;

  constructor(deps: RecordKeeperDeps) {
    this.#deps = deps;
    this.#breaker = new Breaker({
      probe: () => this.#putOldest(),
      onAlive: () => this.#sweep(),
      hasWork: () => deps.records !== undefined && deps.queue.nUnkept > 0,
      slowMs: limits.recordPutTimeoutMs,
      intervalMs: deps.probeIntervalMs,
      sentences,
      nowMs: deps.nowMs,
      log: deps.log,
    });
  }

  /** True while answers do not wait for RECORDS. */
  isAway(): boolean {
    return this.#deps.records === undefined || this.#breaker.isOpen();
  }

  /** @returns whether RECORDS keeps it. Never rejects. */
  async put(record: AssignmentRecord): Promise<boolean> {
    if (this.isAway() || this.#nInFlight >= limits.recordPutsInFlightMax) return false;
    try {
      await this.#put(record, limits.recordPutTimeoutMs);
      this.#nFailed = 0;
      return true;
    } catch (error) {
      this.#noticeFailure(error);
      return false;
    }
  }

  #noticeFailure(error: unknown): void {
    const nowMs = this.#deps.nowMs();
    if (this.#nFailed++ === 0) this.#failingSinceMs = nowMs;
    const isLong = nowMs - this.#failingSinceMs >= limits.recordPutFailuresWindowMs;
    if (isLong && this.#nFailed >= limits.recordPutFailuresInARowMax) this.#breaker.trip(error);
  }

  /** Something waits in memory: puts it by and by. */
  watch(): void {
    this.#breaker.watch();
  }

  /** One probe now, and what follows from it. Never rejects. */
  probe(): Promise<void> {
    return this.#breaker.check();
  }

  close(): void {
    this.#breaker.close();
  }

  async #putOldest(): Promise<void> {
    const [oldest] = this.#deps.queue.oldestUnkept(1);
    if (!oldest) throw new Error('nothing waits for RECORDS: it is asked with the next assignment');
    await this.#putLate(oldest);
    this.#nFailed = 0;
  }

  /** Puts what waits, oldest first, until RECORDS fails. */
  async #sweep(): Promise<void> {
    const { queue } = this.#deps;
    while (queue.nUnkept > 0) {
      const chunk = queue.oldestUnkept(limits.recordPutsPerSweepMax);
      const puts = await Promise.allSettled(chunk.map((entry) => this.#putLate(entry)));
      if (puts.some(({ status }) => status === 'rejected')) return;
    }
  }

  async #putLate(entry: Unrecorded): Promise<void> {
    await this.#put(entry.record, limits.recordSweepTimeoutMs);
    this.#deps.queue.markKept(entry);
  }

  async #put(record: AssignmentRecord, timeoutMs: number): Promise<void> {
    const { records, counts } = this.#deps;
    if (!records) throw new Error('there is no stream RECORDS');
    this.#nInFlight++;
    try {
      const outcome = await settleWithin(records.put(toStoredRecord(record), timeoutMs), timeoutMs);
      if (outcome === lateResult) throw new Error(`RECORDS took longer than ${timeoutMs} ms`);
      counts.puts.kept++;
    } catch (error) {
      counts.puts.failed++;
      throw error;
    } finally {
      this.#nInFlight--;
    }
  }
}

const sentences = {
  opened: 'answered assignments wait in memory alone for now: RECORDS is away',
  closed: 'answered assignments are kept in RECORDS again',
};
