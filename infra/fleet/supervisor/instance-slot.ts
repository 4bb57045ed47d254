import { join } from 'node:path';
import { limits } from '@bandit/contracts';
import { nextBackoffMs } from './backoff.ts';
import { type Ending, type ProcessPlan, type Run, type RunDeps, startRun } from './process-run.ts';

/** The place of one process, kept filled. */
export interface InstanceSlot {
  readonly plan: ProcessPlan;
  /** The process that fills it now; undefined while it waits for its next start. */
  pid(): number | undefined;
  start(): void;
  /**
   * Starts a new process beside the old one, which goes once the new one is ready: nobody waits meanwhile.
   *
   * @returns false when the new one was not ready in time; the old one stays then
   */
  replace(): Promise<boolean>;
  stop(): Promise<void>;
  /** Ends whatever runs, now. */
  kill(): void;
}

/** @param folder of the sockets; each life has one of its own, so that none meets what another left behind */
export function createInstanceSlot(plan: ProcessPlan, folder: string, deps: RunDeps): InstanceSlot {
  const { log, monotonicMs } = deps;
  const running = new Set<Run>();
  let current: Run | undefined;
  let nLives = 0;
  let backoffMs: number | undefined;
  let again: NodeJS.Timeout | undefined;
  let isStopping = false;

  const begin = (): Run => {
    nLives += 1;
    const run = startRun(plan, join(folder, `${plan.name}.${nLives}.sock`), deps);
    running.add(run);
    void run.ended.then((ending) => onEnd(run, ending));
    return run;
  };
  const onEnd = (run: Run, { code, signal, error }: Ending): void => {
    running.delete(run);
    if (run !== current || isStopping) return;
    current = undefined;
    const livedMs = Math.round(monotonicMs() - run.startedAtMs);
    backoffMs = nextBackoffMs(backoffMs, livedMs);
    const details = { process: plan.name, pid: run.pid, code, signal, livedMs, againInMs: backoffMs };
    log.warn(
      error === undefined ? details : { ...details, err: error },
      'a process ended: it is started again',
    );
    again = setTimeout(() => {
      current = begin();
    }, backoffMs);
  };
  return {
    plan,
    pid: () => current?.pid,
    start: () => {
      current = begin();
    },
    replace: async () => {
      const fresh = begin();
      const isReady = await withinTime(fresh.ready, limits.instanceReadyTimeoutMs);
      if (isStopping) return false;
      if (!isReady) {
        await fresh.stop();
        return false;
      }
      clearTimeout(again);
      const old = current;
      current = fresh;
      await old?.stop();
      return true;
    },
    stop: async () => {
      isStopping = true;
      clearTimeout(again);
      await Promise.all([...running].map((run) => run.stop()));
    },
    kill: () => {
      isStopping = true;
      clearTimeout(again);
      for (const run of running) run.kill();
    },
  };
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
