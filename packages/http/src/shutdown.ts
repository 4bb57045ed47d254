import { limits } from '@bandit/contracts';
import type { FastifyBaseLogger } from 'fastify';

/** One owner to stop; steps run in order, each within what is left of the whole. */
export interface ShutdownStep {
  readonly name: string;
  readonly close: () => Promise<unknown> | unknown;
}

export interface Shutdown {
  /** True from the first moment of close(). */
  isDraining(): boolean;
  /** Runs every step once, a failing one included; safe to call twice. @returns names of steps that failed or ran out of time */
  close(): Promise<string[]>;
}

/**
 * Stops in order: first what takes requests in, last the stores. The whole takes at most `timeoutMs`: a step that does not
 * finish is left behind, so that the process exits in time.
 */
export function createShutdown(options: {
  readonly steps: readonly ShutdownStep[];
  readonly log: Pick<FastifyBaseLogger, 'error'>;
  readonly monotonicMs: () => number;
  readonly timeoutMs?: number;
}): Shutdown {
  const { steps, log, monotonicMs, timeoutMs = limits.shutdownTimeoutMs } = options;
  let closing: Promise<string[]> | undefined;
  const run = async (): Promise<string[]> => {
    const endsAt = monotonicMs() + timeoutMs;
    const failed: string[] = [];
    for (const step of steps) {
      const error = await closeWithin(step, Math.max(50, endsAt - monotonicMs()));
      if (error === undefined) continue;
      failed.push(step.name);
      log.error({ err: error, step: step.name }, 'a part did not stop in order');
    }
    return failed;
  };
  return {
    isDraining: () => closing !== undefined,
    close: () => {
      closing ??= run();
      return closing;
    },
  };
}

async function closeWithin(step: ShutdownStep, leftMs: number): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Error>((resolve) => {
    timer = setTimeout(() => resolve(new Error(`${step.name} did not stop within ${leftMs} ms`)), leftMs);
  });
  try {
    return await Promise.race([
      Promise.resolve()
        .then(step.close)
        .then(() => undefined),
      late,
    ]);
  } catch (error) {
    return error;
  } finally {
    clearTimeout(timer);
  }
}
