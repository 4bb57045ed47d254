import { join } from 'node:path';
import { limits } from '@bandit/contracts';
import { nextBackoffMs } from './backoff.ts';
import { type Ending, type ProcessPlan, type Run, type RunDeps, startRun } from './process-run.ts';

/**
 * The place of one process, kept filled. It holds the lives that go on in it: one, none while it waits for the next start,
 * two while the new one takes over.
 */
export class InstanceSlot {
  readonly plan: ProcessPlan;
  readonly #folder: string;
  readonly #deps: RunDeps;
  readonly #running = new Set<Run>();
  #current: Run | undefined;
  #nLives = 0;
  #backoffMs: number | undefined;
  #again: NodeJS.Timeout | undefined;
  #isStopping = false;

  /** @param folder of the sockets; each life has one of its own, so that none meets what another left behind */
  constructor(plan: ProcessPlan, folder: string, deps: RunDeps) {
    this.plan = plan;
    this.#folder = folder;
    this.#deps = deps;
  }

  /** The process that fills it now; undefined while it waits for its next start. */
  get pid(): number | undefined {
    return this.#current?.pid;
  }

  start(): void {
    this.#current = this.#begin();
  }

  /**
   * Starts a new process beside the old one, which goes once the new one is ready: nobody waits meanwhile.
   *
   * @returns false when the new one was not ready in time; the old one stays then
   */
  async replace(): Promise<boolean> {
    const fresh = this.#begin();
    const isReady = await withinTime(fresh.ready, limits.instanceReadyTimeoutMs);
    if (this.#isStopping) return false;
    if (!isReady || !this.#running.has(fresh)) {
      await fresh.stop();
      return false;
    }
    clearTimeout(this.#again);
    const old = this.#current;
    this.#current = fresh;
    await old?.stop();
    return true;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#again);
    await Promise.all([...this.#running].map((run) => run.stop()));
  }

  /** Ends whatever runs, now. */
  kill(): void {
    this.#isStopping = true;
    clearTimeout(this.#again);
    for (const run of this.#running) run.kill();
  }

  #begin(): Run {
    this.#nLives += 1;
    const socketPath = join(this.#folder, `${this.plan.name}.${this.#nLives}.sock`);
    const run = startRun(this.plan, socketPath, this.#deps);
    this.#running.add(run);
    void run.ended.then((ending) => this.#onEnd(run, ending));
    return run;
  }

  #onEnd(run: Run, { code, signal, error }: Ending): void {
    this.#running.delete(run);
    if (run !== this.#current || this.#isStopping) return;
    this.#current = undefined;
    const livedMs = Math.round(this.#deps.monotonicMs() - run.startedAtMs);
    this.#backoffMs = nextBackoffMs(this.#backoffMs, livedMs);
    const details = {
      name: this.plan.name,
      pid: run.pid,
      code,
      signal,
      livedMs,
      againInMs: this.#backoffMs,
    };
    this.#deps.log.warn(
      error === undefined ? details : { ...details, err: error },
      'a process ended: it is started again',
    );
    this.#again = setTimeout(() => this.start(), this.#backoffMs);
  }
}

async function withinTime(ready: Promise<boolean>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, false);
  });
  try {
    return await Promise.race([ready, late]);
  } finally {
    clearTimeout(timer);
  }
}
