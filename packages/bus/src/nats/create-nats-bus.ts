/**
 * The bus and the RECORDS stream on NATS: one connection, opened in the background and for ever, so that a process never
 * needs NATS to start or to go on. It holds the connection, what this process wants to listen to, and nothing else:
 * broadcasts that find NATS away are dropped and counted, durable publishes reject, and the caller repeats them. A crash
 * loses what is queued for handlers; EVENTS and RECORDS are NATS's.
 */
import { type Bus, limits, type RecordStream } from '@bandit/contracts';
import { BusUnavailableError } from '../bus-errors.ts';
import { checkSubject } from '../subject-pattern.ts';
import { createSubscriberQueue } from '../subscriber-queue.ts';
import { publishEventsTo } from './event-publisher.ts';
import { createNatsBroadcaster } from './nats-broadcaster.ts';
import { keepNatsSession, type NatsKeeper, type NatsLog } from './nats-connection.ts';
import { type NatsNames, nameForNats } from './nats-names.ts';
import { createNatsRecordStream } from './nats-record-stream.ts';
import { ask, listenForRequests } from './nats-requests.ts';
import { createNatsStream } from './nats-streams.ts';
import { createNatsSubscriptions, type Listen, type NatsSubscriptions } from './nats-subscriptions.ts';
import { parseNatsUrl } from './nats-url.ts';
import { traceOf } from './trace-headers.ts';

export interface NatsBusOptions {
  /** nats:// or tls://, one or several joined by commas, with user:password@ or token@ if needed. */
  readonly url: string;
  /** Shown by the server for this connection. */
  readonly name: string;
  readonly log: NatsLog;
  /** Uniform on [0, 1): spreads the attempts to connect. */
  readonly rng: () => number;
  /** Copies of each stream, on as many servers. Default: 1. */
  readonly replicas?: number;
  /** Sets several platforms on one NATS apart. Default: none. */
  readonly prefix?: string;
  /** Default: limits.eventsStreamBytes. */
  readonly eventsBytesMax?: number;
  /** Default: limits.recordsStreamBytes. */
  readonly recordsBytesMax?: number;
  /** Messages a subscriber may be behind. Default: limits.busHandlerQueueMax. */
  readonly handlerQueueMax?: number;
}

export interface NatsBus {
  readonly bus: Bus;
  readonly records: RecordStream;
  /** Broadcasts that were dropped since the start: NATS was away, or did not read. */
  nBroadcastsDropped(): number;
  /** The same as bus.close(). */
  close(): Promise<void>;
}

/** @throws at once on a malformed URL or prefix; never because NATS is away */
export function createNatsBus(options: NatsBusOptions): NatsBus {
  const { name, log, rng } = options;
  const names = nameForNats(options.prefix ?? '');
  const keeper = keepNatsSession({ target: parseNatsUrl(options.url), name, log, rng });
  const subscriptions = createNatsSubscriptions(keeper);
  const broadcaster = createNatsBroadcaster(limits.busUnconfirmedBytesMax, log);
  const { events, records } = planStreams(names, options);
  const recordStream = createNatsRecordStream({ keeper, stream: createNatsStream(records, log), log });
  const eventStream = createNatsStream(events, log);

  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= closeAll(subscriptions, recordStream, keeper, log);
    return closed;
  };
  const assertOpen = () => {
    if (closed !== undefined) throw new BusUnavailableError('the bus is closed');
  };

  const bus: Bus = {
    publish: (subject, payload) => {
      if (closed !== undefined) return;
      broadcaster.publish(keeper.session(), names.toServer(subject), payload);
    },
    subscribe: async (subject, handler) => {
      assertOpen();
      checkSubject(subject, { mayEndInWildcard: true });
      const queue = createSubscriberQueue(handler, options.handlerQueueMax ?? limits.busHandlerQueueMax, log);
      const listen: Listen = (session) =>
        session.subscribe(names.toServer(subject), {
          onMessage: (message) =>
            queue.push(names.fromServer(message.subject), message.payload, traceOf(message)),
          onRefused: (reason) => log.error({ subject, reason }, 'NATS does not let us listen'),
        });
      return subscriptions.add(listen, () => queue.close());
    },
    request: async (subject, payload, timeoutMs) => {
      assertOpen();
      checkSubject(subject, { mayEndInWildcard: false });
      return ask(keeper.session(), { subject, serverSubject: names.toServer(subject) }, payload, timeoutMs);
    },
    respond: async (subject, handler) => {
      assertOpen();
      checkSubject(subject, { mayEndInWildcard: false });
      const target = { subject, serverSubject: names.toServer(subject) };
      return subscriptions.add(listenForRequests(target, handler, log), async () => undefined);
    },
    publishEvents: async (batch) => {
      assertOpen();
      const onServer = batch.map((record) => ({ ...record, subject: names.toServer(record.subject) }));
      await publishEventsTo(keeper.session(), eventStream, onServer);
    },
    isConnected: () => closed === undefined && keeper.session() !== undefined,
    close,
  };
  return { bus, records: recordStream.records, nBroadcastsDropped: () => broadcaster.nDropped(), close };
}

function planStreams(names: NatsNames, options: NatsBusOptions) {
  const shared = {
    replicas: options.replicas ?? 1,
    // A caller that hears no acknowledgement repeats within seconds. What it repeats later, after a crash or a long
    // outage, may be kept twice: at most the batch behind the published cursor, under the same message id.
    duplicateWindowMs: limits.streamDuplicateWindowMs,
  };
  return {
    events: {
      ...shared,
      name: names.events.stream,
      subject: names.events.subject,
      bytesMax: options.eventsBytesMax ?? limits.eventsStreamBytes,
      ageMsMax: limits.eventsStreamAgeMs,
    },
    records: {
      ...shared,
      name: names.records.stream,
      subject: names.records.subject,
      bytesMax: options.recordsBytesMax ?? limits.recordsStreamBytes,
      ageMsMax: 0,
    },
  };
}

/** Running handlers get `natsCloseTimeoutMs` to end before the connection goes. */
async function closeAll(
  subscriptions: NatsSubscriptions,
  recordStream: { close(): Promise<void> },
  keeper: NatsKeeper,
  log: NatsLog,
): Promise<void> {
  const handlers = Promise.all([subscriptions.close(), recordStream.close()]);
  const { promise: late, resolve } = Promise.withResolvers<'late'>();
  const timer = setTimeout(() => resolve('late'), limits.natsCloseTimeoutMs);
  const outcome = await Promise.race([handlers, late]);
  clearTimeout(timer);
  if (outcome === 'late')
    log.warn({ waitedMs: limits.natsCloseTimeoutMs }, 'the bus closes while a handler still runs');
  await keeper.close();
}
