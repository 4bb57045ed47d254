/** One connection to NATS as the rest of the adapter sees it. Calls reject with a NatsFailure. */
export interface NatsSession extends NatsMessaging, NatsStreamCalls {
  /** host:port */
  readonly server: string;
  isOpen(): boolean;
  /** Called once, with the reason, when the connection is over for good. Returns what takes the listener away. */
  onLost(listener: (reason: string) => void): () => void;
  close(): void;
}

export interface NatsMessaging {
  /** @throws NatsFailure when the server would refuse it (too large), or the connection is over */
  publish(subject: string, payload: Uint8Array, options?: PublishOptions): void;
  request(
    subject: string,
    payload: Uint8Array,
    timeoutMs: number,
    headers?: MessageHeaders,
  ): Promise<NatsMessage>;
  /** Neither handler may throw: they run inside the client's reader. Returns what ends it. */
  subscribe(subject: string, options: SubscribeOptions): () => void;
  /** Resolves once the server has read all that was sent before. */
  confirm(timeoutMs: number): Promise<void>;
  createInbox(): string;
}

export interface NatsStreamCalls {
  /** Resolves once the stream keeps the message, or has kept one with this id before. */
  store(stream: string, message: MessageToStore, timeoutMs: number): Promise<void>;
  findStream(stream: string): Promise<StreamView | undefined>;
  /** Makes it, or leaves it as it is where it exists with the same plan. */
  addStream(plan: StreamPlan): Promise<void>;
  updateStream(plan: StreamPlan): Promise<void>;
  /** Deletes every message below the sequence. */
  purgeBelow(stream: string, sequence: number): Promise<void>;
  addConsumer(stream: string, plan: ConsumerPlan): Promise<void>;
  findConsumer(stream: string, durable: string): Promise<ConsumerView | undefined>;
}

export type MessageHeaders = Readonly<Record<string, string>>;

export interface PublishOptions {
  readonly headers?: MessageHeaders;
  readonly reply?: string;
}

export interface MessageToStore {
  readonly id: string;
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly headers?: MessageHeaders | undefined;
}

export interface SubscribeOptions {
  /** One member of a queue group gets each message. */
  readonly queue?: string;
  readonly onMessage: (message: NatsMessage) => void;
  /** The server does not let us listen there. */
  readonly onRefused: (reason: string) => void;
}

export interface NatsMessage {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly reply: string | undefined;
  /** Of the server's own messages, such as 404; 0 for all others. */
  readonly status: number;
  readonly hasHeaders: boolean;
  header(key: string): string | undefined;
  headerKeys(): string[];
}

/** What we want of a stream: kept on disk until its limits, refusing what does not fit. */
export interface StreamPlan {
  readonly name: string;
  readonly subject: string;
  readonly bytesMax: number;
  /** 0: for ever. */
  readonly ageMsMax: number;
  readonly replicas: number;
  readonly duplicateWindowMs: number;
}

export interface StreamView {
  readonly plan: StreamPlan;
  readonly isKeptOnDisk: boolean;
  readonly isKeptUntilLimits: boolean;
  readonly isRefusingWhenFull: boolean;
  readonly nMessages: number;
}

export interface ConsumerPlan {
  readonly durable: string;
  readonly ackWaitMs: number;
  readonly ackPendingMax: number;
}

export interface ConsumerView {
  /** Not delivered yet, or delivered and not acknowledged. */
  readonly nPending: number;
  /** Every message up to this sequence was acknowledged. */
  readonly ackFloor: number;
}
