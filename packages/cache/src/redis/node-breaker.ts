import { late, within } from './within.ts';

export interface NodeBreakerDeps {
  probe(): Promise<unknown>;
  readonly failuresInARowMax: number;
  /** And nothing was answered for so long. */
  readonly failuresWindowMs: number;
  /** Between the end of one probe and the next. */
  readonly probeIntervalMs: number;
  /** A slower answer to a probe leaves it open. */
  readonly slowMs: number;
  /** Milliseconds; only differences matter. */
  nowMs(): number;
  onOpen(): void;
  onClose(): void;
}

/**
 * Circuit breaker of one Redis node. Modes: closed (commands are sent) -> open (nothing is sent, nobody waits), by
 * failures in a row and over a while -> closed, by a probe that was answered in time. Probes run off the request path, one at a time, only
 * while it is open. Commands that run side by side and fail in one stall are one failure: one counts only when it was
 * sent after the last that counted had failed, so a short pause under load opens nothing, and a Redis that
 * hangs is found out after `failuresInARowMax` deadlines and `failuresWindowMs`, whatever the load.
 */
export class NodeBreaker {
  readonly #deps: NodeBreakerDeps;
  #failures = 0;
  #failingSinceMs = 0;
  #countedAtMs = Number.NEGATIVE_INFINITY;
  #isOpen = false;
  #isEnded = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: NodeBreakerDeps) {
    this.#deps = deps;
  }

  isOpen(): boolean {
    return this.#isOpen;
  }

  /** A command was answered in time. */
  succeed(): void {
    this.#failures = 0;
  }

  /** A command sent at `sentMs` was not. */
  fail(sentMs: number): void {
    if (this.#isOpen || this.#isEnded || sentMs < this.#countedAtMs) return;
    this.#countedAtMs = this.#deps.nowMs();
    if (this.#failures++ === 0) this.#failingSinceMs = sentMs;
    const isLong = this.#countedAtMs - this.#failingSinceMs >= this.#deps.failuresWindowMs;
    if (!isLong || this.#failures < this.#deps.failuresInARowMax) return;
    this.#isOpen = true;
    this.#deps.onOpen();
    this.#schedule();
  }

  end(): void {
    this.#isEnded = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#isEnded || !this.#isOpen) return;
    this.#timer = setTimeout(() => {
      void this.#probe().finally(() => this.#schedule());
    }, this.#deps.probeIntervalMs);
  }

  /** Never rejects. Ends when the probe has: they do not pile up in a Redis that hangs. */
  async #probe(): Promise<void> {
    const probe = this.#deps.probe();
    const isAlive = await within(probe, this.#deps.slowMs).then(
      (answer) => answer !== late,
      () => false,
    );
    await probe.catch(() => undefined);
    if (!isAlive || this.#isEnded) return;
    this.#isOpen = false;
    this.#failures = 0;
    this.#deps.onClose();
  }
}
