/**
 * Circuit breaker of one store, as the recorder sees it.
 *
 * Modes: closed (requests are sent) -> open (nothing is sent, requests do not wait) -> closed, by a probe that the
 * store answered in time. Probes run off the request path, one at a time, every `intervalMs` for as long as the
 * breaker is open or `hasWork` says that something waits for the store. Only `trip` and a probe change the mode.
 */
import { limits, withDeadline } from '@bandit/contracts';

export interface BreakerDeps {
  probe(): Promise<void>;
  /** The store answered, if slowly: what waits can be brought in. Never rejects. */
  onAlive(): Promise<void>;
  hasWork(): boolean;
  /** A probe slower than this leaves the breaker open. */
  slowMs: number;
  intervalMs: number;
  /** What the log says on opening and on closing. */
  sentences: { readonly opened: string; readonly closed: string };
  nowMs(): number;
  log: Record<'info' | 'warn' | 'error', (details: object, message: string) => void>;
}

export class Breaker {
  readonly #deps: BreakerDeps;
  #isOpen = false;
  #isClosed = false;
  #closedAtMs = Number.NEGATIVE_INFINITY;
  #checking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: BreakerDeps) {
    this.#deps = deps;
  }

  isOpen(): boolean {
    return this.#isOpen;
  }

  /** Milliseconds since a probe closed it; Infinity when none ever did. */
  closedForMs(): number {
    return this.#deps.nowMs() - this.#closedAtMs;
  }

  /** The store failed: stop sending. */
  trip(error: unknown): void {
    if (this.#isOpen || this.#isClosed) return;
    this.#isOpen = true;
    this.#deps.log.warn({ err: error }, this.#deps.sentences.opened);
    this.watch();
  }

  /** Starts probing if there is a reason to. */
  watch(): void {
    if (this.#isClosed || this.#timer || !(this.#isOpen || this.#deps.hasWork())) return;
    this.#timer = setTimeout(() => {
      void this.check().finally(() => {
        this.#timer = undefined;
        this.watch();
      });
    }, this.#deps.intervalMs);
  }

  /** One probe now, and what follows from it. Never rejects. */
  check(): Promise<void> {
    this.#checking ??= this.#probe().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #probe(): Promise<void> {
    const startedMs = this.#deps.nowMs();
    try {
      await withDeadline(this.#deps.probe(), limits.storeProbeTimeoutMs, 'a probe');
    } catch {
      return; // Still away: the next probe is scheduled already.
    }
    if (this.#isOpen && this.#deps.nowMs() - startedMs <= this.#deps.slowMs) {
      this.#isOpen = false;
      this.#closedAtMs = this.#deps.nowMs();
      this.#deps.log.info({}, this.#deps.sentences.closed);
    }
    await this.#deps.onAlive();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}
