import { ApiError } from '@bandit/contracts';

/** The provider calls of one process that are on their way, so that a shutdown can end them. */
export interface RunningCalls {
  /** Runs `work` with a signal that `close` aborts. */
  run<T>(work: (stop: AbortSignal) => Promise<T>): Promise<T>;
  /** Aborts every call, and those to come, with SHUTTING_DOWN; resolves when all have ended. */
  close(): Promise<void>;
}

export function createRunningCalls(): RunningCalls {
  const stop = new AbortController();
  const running = new Set<Promise<unknown>>();
  return {
    async run(work) {
      stop.signal.throwIfAborted();
      const call = work(stop.signal);
      running.add(call);
      try {
        return await call;
      } finally {
        running.delete(call);
      }
    },
    async close() {
      stop.abort(new ApiError('SHUTTING_DOWN', 'the server is shutting down: try again'));
      await Promise.allSettled(running);
    },
  };
}
