import type { MessageHandler, Subscription } from '@bandit/contracts';
import type { BusLog } from './in-process-bus.ts';
import { patternsOf } from './subject-pattern.ts';
import { createSubscriberQueue, type SubscriberQueue } from './subscriber-queue.ts';

export interface Subscribers {
  add(pattern: string, handler: MessageHandler): Subscription;
  /** Queues the message for everyone whose pattern matches. */
  deliver(subject: string, payload: Uint8Array): void;
  /** Drops what waits and resolves when the running handlers have finished. */
  close(): Promise<void>;
}

/** Subscribers by pattern. @param queueMax messages that each may be behind */
export function createSubscribers(queueMax: number, log: BusLog): Subscribers {
  const byPattern = new Map<string, Set<SubscriberQueue>>();
  return {
    add: (pattern, handler) => {
      const queue = createSubscriberQueue(handler, queueMax, log);
      const queues = byPattern.get(pattern) ?? new Set();
      byPattern.set(pattern, queues.add(queue));
      return {
        close: async () => {
          queues.delete(queue);
          if (queues.size === 0 && byPattern.get(pattern) === queues) byPattern.delete(pattern);
          await queue.close();
        },
      };
    },
    deliver: (subject, payload) => {
      for (const pattern of patternsOf(subject))
        for (const queue of byPattern.get(pattern) ?? []) queue.push(subject, payload);
    },
    close: async () => {
      const queues = [...byPattern.values()].flatMap((set) => [...set]);
      byPattern.clear();
      await Promise.all(queues.map((queue) => queue.close()));
    },
  };
}
