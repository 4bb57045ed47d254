/**
 * The one file that knows the NATS client. A session is one connection, from the server's greeting to its loss: it never
 * reconnects by itself, so that nothing is buffered while NATS is away (nats-connection.ts opens the next one). It holds
 * the connection and why it ended; every call has a deadline and fails with a NatsFailure.
 */
import { limits } from '@bandit/contracts';
import {
  AckPolicy,
  connect,
  createInbox,
  DebugEvents,
  DeliverPolicy,
  DiscardPolicy,
  Events,
  type JetStreamManager,
  type Msg,
  type MsgHdrs,
  headers as makeHeaders,
  type NatsConnection,
  NatsError,
  RetentionPolicy,
  type Status,
  StorageType,
} from 'nats';
import { NatsFailure } from './nats-failure.ts';
import type {
  ConsumerPlan,
  ConsumerView,
  NatsMessage,
  NatsMessaging,
  NatsSession,
  NatsStreamCalls,
  StreamPlan,
  StreamView,
} from './nats-session.ts';
import type { NatsTarget } from './nats-url.ts';

/** JetStream's error codes. */
const streamNotFound = 10059;
const consumerNotFound = 10014;
const nanosPerMs = 1_000_000;

/** One attempt at each server, in an order of chance. @throws NatsFailure when none of them takes us */
export async function openNatsSession(input: {
  readonly target: NatsTarget;
  readonly name: string;
  /** The server does not let us publish or listen there. */
  readonly onForbidden: (operation: string, subject: string) => void;
}): Promise<NatsSession> {
  const { target, name, onForbidden } = input;
  try {
    const connection = await connect({
      servers: [...target.servers],
      name,
      ...(target.isTls ? { tls: {} } : {}),
      ...(target.user === undefined ? {} : { user: target.user, pass: target.password ?? '' }),
      ...(target.token === undefined ? {} : { token: target.token }),
      timeout: limits.natsConnectTimeoutMs,
      pingInterval: limits.natsPingIntervalMs,
      maxPingOut: limits.natsPingsOutMax,
      reconnect: false,
      ignoreClusterUpdates: true,
      noAsyncTraces: true,
    });
    const manager = await connection.jetstreamManager({
      checkAPI: false,
      timeout: limits.natsCallTimeoutMs,
    });
    return createSession(connection, manager, onForbidden);
  } catch (error) {
    throw asFailure(error, false);
  }
}

function createSession(
  connection: NatsConnection,
  manager: JetStreamManager,
  onForbidden: (operation: string, subject: string) => void,
): NatsSession {
  const listeners = new Set<(reason: string) => void>();
  let isLost = false;
  let lastError = '';
  const end = (reason: string) => {
    if (isLost) return;
    isLost = true;
    // Not awaited: on a server that hangs the client waits for its last bytes to be taken.
    connection.close().catch(() => undefined);
    for (const listener of listeners) listener(lastError || reason);
    listeners.clear();
  };
  void watch(connection, (status) => {
    if (status.type === DebugEvents.StaleConnection) end('the server does not answer pings');
    else if (status.type === Events.Disconnect) end('the connection ended');
    else if (status.permissionContext !== undefined)
      onForbidden(status.permissionContext.operation, status.permissionContext.subject);
    else if (status.type === Events.Error) lastError = String(status.data);
  });
  void connection.closed().then((error) => end(error instanceof Error ? error.message : 'closed'));

  // At its end the client fails everything that waits, as if it were late.
  const isOver = () => isLost || connection.isClosed();
  return {
    server: connection.getServer(),
    isOpen: () => !isOver(),
    onLost: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => end('closed by us'),
    ...createMessaging(connection, isOver),
    ...createStreamCalls(manager, isOver),
  };
}

function createMessaging(connection: NatsConnection, isOver: () => boolean): NatsMessaging {
  return {
    publish: (subject, payload, options = {}) => {
      const { headers, reply } = options;
      try {
        connection.publish(subject, payload, {
          ...(headers === undefined ? {} : { headers: encodeHeaders(headers) }),
          ...(reply === undefined ? {} : { reply }),
        });
      } catch (error) {
        throw asFailure(error, isOver());
      }
    },
    request: (subject, payload, timeoutMs, headers) =>
      call(isOver, async () => {
        const options = headers === undefined ? {} : { headers: encodeHeaders(headers) };
        return toMessage(await connection.request(subject, payload, { timeout: timeoutMs, ...options }));
      }),
    subscribe: (subject, { queue, onMessage, onRefused }) => {
      // The next session takes it up.
      if (isOver()) return () => undefined;
      const subscription = connection.subscribe(subject, {
        ...(queue === undefined ? {} : { queue }),
        callback: (error, message) =>
          error === null ? onMessage(toMessage(message)) : onRefused(error.message),
      });
      return () => subscription.unsubscribe();
    },
    confirm: (timeoutMs) => call(isOver, () => withDeadline(connection.flush(), timeoutMs)),
    createInbox: () => createInbox(),
  };
}

function createStreamCalls(manager: JetStreamManager, isOver: () => boolean): NatsStreamCalls {
  const { streams, consumers } = manager;
  const client = manager.jetstream();
  return {
    store: async (stream, { subject, id, payload, headers }, timeoutMs) => {
      await call(isOver, () =>
        client.publish(subject, payload, {
          msgID: id,
          timeout: timeoutMs,
          expect: { streamName: stream },
          ...(headers === undefined ? {} : { headers: encodeHeaders(headers) }),
        }),
      );
    },
    findStream: (stream) =>
      call(isOver, () => orUndefined(streams.info(stream).then(toStreamView), streamNotFound)),
    addStream: async (plan) => {
      await call(isOver, () => streams.add({ ...streamConfig(plan), ...fixedStreamConfig(plan) }));
    },
    updateStream: async (plan) => {
      await call(isOver, () => streams.update(plan.name, streamConfig(plan)));
    },
    purgeBelow: async (stream, sequence) => {
      // The server takes 0 and 1 for "everything".
      if (sequence <= 1) return;
      await call(isOver, () => streams.purge(stream, { seq: sequence }));
    },
    addConsumer: async (stream, plan) => {
      await call(isOver, () => consumers.add(stream, consumerConfig(plan)));
    },
    findConsumer: (stream, durable) =>
      call(isOver, () => orUndefined(consumers.info(stream, durable).then(toConsumerView), consumerNotFound)),
  };
}

async function call<T>(isOver: () => boolean, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asFailure(error, isOver());
  }
}

async function watch(connection: NatsConnection, onStatus: (status: Status) => void): Promise<void> {
  for await (const status of connection.status()) onStatus(status);
}

function toMessage(message: Msg): NatsMessage {
  const { headers } = message;
  return {
    subject: message.subject,
    payload: message.data,
    reply: message.reply === '' ? undefined : message.reply,
    status: headers?.code ?? 0,
    header: (key) => {
      const value = headers?.get(key) ?? '';
      return value === '' ? undefined : value;
    },
    headerKeys: () => headers?.keys() ?? [],
    hasHeaders: headers !== undefined,
  };
}

function encodeHeaders(values: Readonly<Record<string, string>>): MsgHdrs {
  const encoded = makeHeaders();
  for (const [key, value] of Object.entries(values)) encoded.set(key, value);
  return encoded;
}

/** What may change in a stream that exists. */
function streamConfig(plan: StreamPlan) {
  return {
    subjects: [plan.subject],
    max_bytes: plan.bytesMax,
    max_age: plan.ageMsMax * nanosPerMs,
    num_replicas: plan.replicas,
    duplicate_window: plan.duplicateWindowMs * nanosPerMs,
    discard: DiscardPolicy.New,
  };
}

function fixedStreamConfig({ name }: StreamPlan) {
  return { name, storage: StorageType.File, retention: RetentionPolicy.Limits };
}

function consumerConfig(plan: ConsumerPlan) {
  return {
    durable_name: plan.durable,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    // A finite number would park good messages for ever during an outage.
    max_deliver: -1,
    ack_wait: plan.ackWaitMs * nanosPerMs,
    max_ack_pending: plan.ackPendingMax,
  };
}

function toStreamView(info: Awaited<ReturnType<JetStreamManager['streams']['info']>>): StreamView {
  const { config, state } = info;
  return {
    plan: {
      name: config.name,
      subject: config.subjects.join(','),
      bytesMax: config.max_bytes,
      ageMsMax: config.max_age / nanosPerMs,
      replicas: config.num_replicas,
      duplicateWindowMs: config.duplicate_window / nanosPerMs,
    },
    isKeptOnDisk: config.storage === StorageType.File,
    isKeptUntilLimits: config.retention === RetentionPolicy.Limits,
    isRefusingWhenFull: config.discard === DiscardPolicy.New,
    nMessages: state.messages,
  };
}

function toConsumerView(info: Awaited<ReturnType<JetStreamManager['consumers']['info']>>): ConsumerView {
  return {
    nPending: info.num_pending + info.num_ack_pending,
    ackFloor: info.ack_floor.stream_seq,
  };
}

async function orUndefined<T>(work: Promise<T>, missingCode: number): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof NatsError && error.api_error?.err_code === missingCode) return undefined;
    throw error;
  }
}

async function withDeadline(work: Promise<void>, timeoutMs: number): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new NatsFailure('timeout', `no answer in ${timeoutMs} ms`)),
    timeoutMs,
  );
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    // Whichever lost the race may still reject: nobody is left to hear it.
    work.catch(() => undefined);
  }
}

function asFailure(error: unknown, isLost: boolean): NatsFailure {
  if (error instanceof NatsFailure) return error;
  const { code, message, api_error: api } = error as Partial<NatsError>;
  if (isLost || code === 'CONNECTION_CLOSED' || code === 'DISCONNECT' || code === 'CONNECTION_DRAINING')
    return new NatsFailure('lost', code ?? String(message));
  if (api != null) return new NatsFailure('refused', api.description, api.err_code ?? api.code);
  if (code === '503') return new NatsFailure('nobody', 'nobody answers there');
  if (code === 'TIMEOUT') return new NatsFailure('timeout', 'no answer in time');
  return new NatsFailure('refused', [code, message].filter(Boolean).join(': ') || String(error));
}
