/**
 * The bus port. Implemented in process (embedded default) and on NATS. Broadcasts are fire and forget: no law depends
 * on one arriving. `publishEvents` is the durable half: resolved means the stream has it.
 */
export interface Subscription {
  close(): Promise<void>;
}

export type MessageHandler = (subject: string, payload: Uint8Array) => void | Promise<void>;

/** One fact for the EVENTS stream; `id` is the message id that makes a repeat harmless. */
export interface StreamRecord {
  readonly id: string;
  readonly subject: string;
  readonly payload: Uint8Array;
}

export interface Bus {
  /** Broadcast to every live subscriber; never throws, never waits for them. */
  publish(subject: string, payload: Uint8Array): void;
  /** `subject` may end in `*` (one token). Handler errors are logged, never thrown into the bus. */
  subscribe(subject: string, handler: MessageHandler): Promise<Subscription>;
  /** One request to one of the responders. Rejects with a `BusTimeout` error after `timeoutMs`. */
  request(subject: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  /** Answers requests; with several responders one of them gets each request. */
  respond(subject: string, handler: (payload: Uint8Array) => Promise<Uint8Array>): Promise<Subscription>;
  /** Durable publish to the EVENTS stream in order; resolves once all are stored. A repeated id is stored once. */
  publishEvents(records: readonly StreamRecord[]): Promise<void>;
  /** False while the connection is away. */
  isConnected(): boolean;
  close(): Promise<void>;
}
