/**
 * The bus of one process (embedded default), with the behaviour of the NATS adapter: delivery is asynchronous, in
 * order per subscriber, one message at a time, and a subscriber that falls `busHandlerQueueMax` messages behind loses
 * the newest ones (a broadcast is never waited for; polls heal what was missed). publishEvents hands each event to
 * the subscribers of its subject once; the last `duplicateIdsMax` ids are remembered. A crash loses what is
 * queued; nothing here is durable, the database is.
 */
import {
  type Bus,
  limits,
  type MessageHandler,
  type StreamRecord,
  type Subscription,
} from '@bandit/contracts';
import { BusTimeoutError, BusUnavailableError } from './bus-errors.ts';
import { createOpenRequests, type Responder } from './open-requests.ts';
import { checkSubject, patternsOf } from './subject-pattern.ts';
import { createSubscriberQueue, type SubscriberQueue } from './subscriber-queue.ts';

export interface BusLog {
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export interface InProcessBusOptions {
  readonly log: BusLog;
  /** Messages a subscriber may be behind. Default: limits.busHandlerQueueMax. */
  readonly handlerQueueMax?: number;
  /** Ids of events remembered to tell repeats. Default: limits.busDuplicateIdsMax. */
  readonly duplicateIdsMax?: number;
}

export function createInProcessBus(options: InProcessBusOptions): Bus {
  const { log } = options;
  const handlerQueueMax = options.handlerQueueMax ?? limits.busHandlerQueueMax;
  const duplicateIdsMax = options.duplicateIdsMax ?? limits.busDuplicateIdsMax;
  const subscribers = new Map<string, Set<SubscriberQueue>>();
  const responders = new Map<string, Responder[]>();
  const requests = createOpenRequests(log);
  const seenIds = new Set<string>();
  let isClosed = false;

  const assertOpen = () => {
    if (isClosed) throw new BusUnavailableError('the bus is closed');
  };
  const deliver = (subject: string, payload: Uint8Array) => {
    for (const pattern of patternsOf(subject))
      for (const queue of subscribers.get(pattern) ?? []) queue.push(subject, payload);
  };
  const remember = (id: string) => {
    seenIds.add(id);
    // A Set iterates in order of insertion: its first value is the oldest id.
    if (seenIds.size > duplicateIdsMax) seenIds.delete(seenIds.values().next().value as string);
  };

  return {
    publish: (subject, payload) => {
      if (!isClosed) deliver(subject, payload);
    },
    subscribe: async (subject: string, handler: MessageHandler): Promise<Subscription> => {
      assertOpen();
      checkSubject(subject, { mayEndInWildcard: true });
      const queue = createSubscriberQueue(handler, handlerQueueMax, log);
      const queues = subscribers.get(subject) ?? new Set();
      subscribers.set(subject, queues.add(queue));
      return {
        close: async () => {
          queues.delete(queue);
          if (queues.size === 0 && subscribers.get(subject) === queues) subscribers.delete(subject);
          await queue.close();
        },
      };
    },
    request: async (subject, payload, timeoutMs) => {
      assertOpen();
      const turn = responders.get(subject);
      const responder = turn?.shift();
      if (turn === undefined || responder === undefined) throw new BusTimeoutError(subject, timeoutMs);
      turn.push(responder);
      return requests.ask(responder, subject, payload, timeoutMs);
    },
    respond: async (subject, handler): Promise<Subscription> => {
      assertOpen();
      checkSubject(subject, { mayEndInWildcard: false });
      const turn = responders.get(subject) ?? [];
      turn.push(handler);
      responders.set(subject, turn);
      return {
        close: async () => {
          const index = turn.indexOf(handler);
          if (index >= 0) turn.splice(index, 1);
        },
      };
    },
    publishEvents: async (records: readonly StreamRecord[]) => {
      assertOpen();
      for (const { id, subject, payload } of records) {
        if (seenIds.has(id)) continue;
        remember(id);
        deliver(subject, payload);
      }
    },
    isConnected: () => !isClosed,
    close: async () => {
      isClosed = true;
      responders.clear();
      requests.close();
      const queues = [...subscribers.values()].flatMap((set) => [...set]);
      subscribers.clear();
      await Promise.all(queues.map((queue) => queue.close()));
    },
  };
}
