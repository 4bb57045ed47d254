/**
 * The gate in front of the database: how long a request waits for it, and when it is left alone.
 *
 * Holds the breaker, the waits that run, and how slow the commits of the last moments were. Requests read and write
 * all three; the breaker's probe opens the gate again. When the breaker opens every wait ends with it, so a database
 * that hangs costs the requests of one deadline, and no request more than one.
 *
 * A commit counts as slow from 60 % of the deadline (150 of 250 ms), and slow ones open the breaker when there were
 * five in a row over a second: a database 200 ms away is left, so that p99 stays under 25 ms, while one that works at
 * 110 ms on a busy machine, or stalls half a second for a checkpoint, goes on deciding: a slow answer on record is
 * worth more than a quick one that is not.
 */
import { limits } from '@bandit/contracts';
import { isStoreUnavailable } from '@bandit/db';
import { Breaker, type BreakerDeps } from './breaker.ts';
import { lateResult, settleWithin } from './settle-within.ts';

export interface DatabaseGateDeps
  extends Pick<BreakerDeps, 'probe' | 'onAlive' | 'hasWork' | 'nowMs' | 'log'> {
  timeoutMs: number;
  probeIntervalMs: number;
}

/** The database did not answer in time (`late`: it may yet), or it is away. */
export type Missed = { readonly kind: 'late' } | { readonly kind: 'failed'; readonly error: unknown };
export type Waited<T> = { readonly kind: 'answered'; readonly answer: T } | Missed;

export class DatabaseGate {
  readonly #deps: DatabaseGateDeps;
  readonly #breaker: Breaker;
  readonly #waiting = new Set<() => void>();
  readonly #slowMs: number;
  #nSlow = 0;
  #slowSinceMs = 0;
  #lastAnswerMs: number;

  constructor(deps: DatabaseGateDeps) {
    this.#deps = deps;
    this.#slowMs = deps.timeoutMs * slowShare;
    this.#lastAnswerMs = deps.nowMs();
    this.#breaker = new Breaker({
      ...deps,
      slowMs: this.#slowMs,
      intervalMs: deps.probeIntervalMs,
      sentences,
    });
  }

  isShut(): boolean {
    return this.#breaker.isOpen();
  }

  /** It was shut a moment ago, and other processes' may still be. */
  hasJustOpened(): boolean {
    return !this.isShut() && this.#breaker.closedForMs() < limits.databaseReturnMs;
  }

  /**
   * What the database answered, within the deadline.
   * @throws the work's own error, where that does not say that the database is away
   */
  async wait<T>(work: Promise<T>): Promise<Waited<T>> {
    const startedMs = this.#deps.nowMs();
    try {
      const answer = await settleWithin(work, this.#deps.timeoutMs, this.#waiting);
      if (answer !== lateResult) return { kind: 'answered', answer };
    } catch (error) {
      if (!isStoreUnavailable(error)) throw error;
      this.#shut(error);
      return { kind: 'failed', error };
    }
    // Nothing at all was answered since: the database hangs. Else it is only behind.
    if (this.#lastAnswerMs <= startedMs) {
      this.#shut(new Error(`the database did not answer within ${this.#deps.timeoutMs} ms`));
    }
    return { kind: 'late' };
  }

  /** The database answered. */
  noticeAnswer(): void {
    this.#lastAnswerMs = this.#deps.nowMs();
  }

  /** What nobody waited for failed: if the database is away, nobody need find out by waiting. */
  noticeFailure(error: unknown): void {
    if (isStoreUnavailable(error)) this.#shut(error);
  }

  /** A commit that requests waited for was answered. */
  noticeCommit(startedMs: number): void {
    this.noticeAnswer();
    if (this.#lastAnswerMs - startedMs <= this.#slowMs) this.#nSlow = 0;
    else if (this.#nSlow++ === 0) this.#slowSinceMs = startedMs;
    const isLong = this.#lastAnswerMs - this.#slowSinceMs >= limits.slowCommitsWindowMs;
    if (this.#nSlow < limits.slowCommitsInARowMax || !isLong) return;
    this.#nSlow = 0;
    this.#shut(new Error(`commits take longer than ${this.#slowMs} ms`));
  }

  /** Starts probing if there is a reason to. */
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

  #shut(error: unknown): void {
    this.#breaker.trip(error);
    for (const giveUp of this.#waiting) giveUp();
  }
}

const slowShare = 0.6;
const sentences = {
  opened: 'assignments are answered without the database for now',
  closed: 'assignments are recorded in the database again',
};
