/**
 * The bus of one process (embedded default), with the behaviour of the NATS adapter: delivery is asynchronous, in
 * order per subscriber, one message at a time, and a subscriber that falls `busHandlerQueueMax` messages behind loses
 * the newest ones (a broadcast is never waited for; polls heal what was missed). publishEvents hands each event to
 * the subscribers of its subject once; the last `duplicateIdsMax` ids are remembered. A crash loses what is queued;
 * nothing here is durable, the database is.
 */
import { type Bus, limits } from '@bandit/contracts';
import { BusUnavailableError } from './bus-errors.ts';
import { createRecentIds } from './recent-ids.ts';
import { createResponders } from './responders.ts';
import { checkSubject } from './subject-pattern.ts';
import { createSubscribers } from './subscribers.ts';

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
  const subscribers = createSubscribers(options.handlerQueueMax ?? limits.busHandlerQueueMax, options.log);
  const responders = createResponders(options.log);
  const publishedIds = createRecentIds(options.duplicateIdsMax ?? limits.busDuplicateIdsMax);
  let isClosed = false;
  const assertOpen = () => {
    if (isClosed) throw new BusUnavailableError('the bus is closed');
  };

  return {
    publish: (subject, payload) => {
      if (!isClosed) subscribers.deliver(subject, payload);
    },
    subscribe: async (subject, handler) => {
      assertOpen();
      checkSubject(subject, { mayEndInWildcard: true });
      return subscribers.add(subject, handler);
    },
    request: async (subject, payload, timeoutMs) => {
      assertOpen();
      return responders.ask(subject, payload, timeoutMs);
    },
    respond: async (subject, handler) => {
      assertOpen();
      checkSubject(subject, { mayEndInWildcard: false });
      return responders.add(subject, handler);
    },
    publishEvents: async (records) => {
      assertOpen();
      for (const { id, subject, payload } of records)
        if (publishedIds.add(id)) subscribers.deliver(subject, payload);
    },
    isConnected: () => !isClosed,
    close: async () => {
      isClosed = true;
      responders.close();
      await subscribers.close();
    },
  };
}
