import type { MessageHandler } from '@bandit/contracts';
import { type Context, context } from '@opentelemetry/api';
import type { BusLog } from './in-process-bus.ts';

export interface SubscriberQueue {
  /** @param trace what the handler runs in; default: what is active now */
  push(subject: string, payload: Uint8Array, trace?: Context): void;
  /** Drops what waits and resolves when the running handler has finished. */
  close(): Promise<void>;
}

/**
 * Messages of one subscriber: handled one at a time, in order, never in the publisher's turn of the event loop. Past
 * `queueMax` new messages are dropped; the first drop of a jam is logged, with the count once the jam is over.
 */
export function createSubscriberQueue(
  handler: MessageHandler,
  queueMax: number,
  log: BusLog,
): SubscriberQueue {
  let waiting: { subject: string; payload: Uint8Array; trace: Context }[] = [];
  let nDropped = 0;
  let isRunning = false;
  let isClosed = false;
  let idle: Promise<void> = Promise.resolve();

  const handle = async (subject: string, payload: Uint8Array, trace: Context) => {
    try {
      await context.with(trace, handler, undefined, subject, payload);
    } catch (error) {
      log.error({ err: error, subject }, 'a bus handler failed');
    }
  };
  const drain = async () => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      for (const { subject, payload, trace } of batch) if (!isClosed) await handle(subject, payload, trace);
    }
    if (nDropped > 0) log.warn({ nDropped }, 'a bus subscriber caught up after losing messages');
    nDropped = 0;
    isRunning = false;
  };

  return {
    push: (subject, payload, trace = context.active()) => {
      if (isClosed) return;
      if (waiting.length >= queueMax) {
        nDropped += 1;
        if (nDropped === 1)
          log.warn({ subject, queueMax }, 'a bus subscriber is too slow: messages are dropped');
        return;
      }
      waiting.push({ subject, payload, trace });
      if (isRunning) return;
      isRunning = true;
      idle = new Promise((resolve) => setImmediate(resolve)).then(drain);
    },
    close: async () => {
      isClosed = true;
      waiting = [];
      await idle;
    },
  };
}
