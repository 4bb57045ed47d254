/**
 * Results are computed in a thread of their own: with 50 treatments and 30 days the daily winner takes a second, and
 * whoever shares the process with it (assignments, on the embedded default) must not wait for it.
 *
 * Holds one worker, made with the first request and made again after it ended, and the requests that wait for it, at
 * most `resultsQueueMax`. A request that waits longer than `resultsTimeoutMs` ends the worker, and with it all that wait.
 * A crash loses those answers and nothing else: everything is read from the database again.
 */
import { Worker } from 'node:worker_threads';
import { ApiError, limits, type Results } from '@bandit/contracts';
import type { ResultsInput } from './build-results.ts';

export type ResultsReply =
  | { readonly id: number; readonly results: Results }
  | { readonly id: number; readonly error: string };

export interface ResultsThread {
  /** @throws ApiError OVERLOADED when the queue is full, the thread is too slow or was closed */
  build(input: ResultsInput): Promise<Results>;
  close(): Promise<void>;
}

interface Waiting {
  readonly resolve: (results: Results) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export function createResultsThread(timeoutMs: number = limits.resultsTimeoutMs): ResultsThread {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let isClosed = false;
  let lastId = 0;

  function settle(id: number): Waiting | undefined {
    const one = waiting.get(id);
    waiting.delete(id);
    clearTimeout(one?.timer);
    return one;
  }

  /** Ends the worker in force: what waits for it gets `error`, the next request a new one. */
  function end(error: Error): Promise<unknown> {
    const ended = worker;
    worker = undefined;
    for (const id of [...waiting.keys()]) settle(id)?.reject(error);
    return ended?.terminate() ?? Promise.resolve();
  }

  function start(): Worker {
    const started = new Worker(new URL('./results-worker.ts', import.meta.url));
    started.unref();
    started.on('message', (reply: ResultsReply) => {
      const one = settle(reply.id);
      if ('results' in reply) one?.resolve(reply.results);
      else one?.reject(new Error(`results could not be computed: ${reply.error}`));
    });
    started.on('error', (error) => {
      if (started === worker) void end(new Error('the results thread failed', { cause: error }));
    });
    return started;
  }

  return {
    build: (input) => {
      if (isClosed || waiting.size >= limits.resultsQueueMax) return Promise.reject(overloaded());
      worker ??= start();
      const { promise, resolve, reject } = Promise.withResolvers<Results>();
      const id = ++lastId;
      const timer = setTimeout(() => void end(overloaded()), timeoutMs);
      waiting.set(id, { resolve, reject, timer });
      worker.postMessage({ id, input });
      return promise;
    },
    close: async () => {
      isClosed = true;
      await end(overloaded());
    },
  };
}

const overloaded = () => new ApiError('OVERLOADED', 'results take too long to compute now: try again later');
