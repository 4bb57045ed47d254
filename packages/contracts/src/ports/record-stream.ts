import type { Subscription } from './bus.ts';

/**
 * The RECORDS stream: assignments that were answered while the database was away, kept by the bus until some process
 * brings them into the database. Whoever brings one in recognises by its nonce what is there already, so a record may
 * come twice.
 */
export interface RecordStream {
  /**
   * Resolves once the stream keeps the record. Rejects when the bus is away, refuses, or did not acknowledge within
   * `timeoutMs` (then it may be kept all the same). A repeated id is kept once.
   */
  put(record: StoredRecord, timeoutMs: number): Promise<void>;
  /**
   * Hands what is kept to one of all consumers of all processes, oldest first, at most `recordsPerDrainMax` at a time and one
   * group at a time. When `handler` resolves the group is done and forgotten; when it rejects, it comes again. Nothing is
   * taken while `mayTake` says false.
   */
  drain(handler: RecordHandler, mayTake: () => boolean): Promise<Subscription>;
  /** Records that nobody has brought in yet, as last heard; undefined while that is not known. */
  nKept(): number | undefined;
  /** True when all that was put before this call has been brought in. Rejects when that cannot be told in time. */
  isDrained(timeoutMs: number): Promise<boolean>;
}

export interface StoredRecord {
  readonly id: string;
  readonly payload: Uint8Array;
}

export type RecordHandler = (payloads: readonly Uint8Array[]) => Promise<void>;
