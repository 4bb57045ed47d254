/** What the test tells its load process, and what that tells back. */
export interface LoadOrder {
  readonly assignments: readonly string[];
  readonly ingests: readonly string[];
  /** Their readiness is asked for all the time. */
  readonly others: readonly string[];
  readonly apiKey: string;
  readonly experimentId: string;
  /** Users that have their treatment before the load begins: half of them from each process. */
  readonly nKnown: number;
}

export type EntryKind = 'known' | 'new' | 'event' | 'quiet' | 'ready';

/** One request. */
export interface Entry {
  readonly kind: EntryKind;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly tookMs: number;
  /** 0: no answer. */
  readonly status: number;
  /** Which process was asked. */
  readonly process: number;
  readonly userId?: string;
  readonly assignmentId?: string;
  readonly treatmentId?: string;
  readonly eventId?: string;
  /** `x-recorded`, where the answer had it. */
  readonly recorded?: string;
  readonly retryAfter?: string;
  /** What was said instead of a 200 or 201. */
  readonly error?: string;
}

export interface LoadReport {
  readonly entries: readonly Entry[];
  readonly known: ReadonlyArray<Known>;
}

export interface Known {
  readonly userId: string;
  readonly assignmentId: string;
  readonly treatmentId: string;
}

export const nowMs = (): number => performance.timeOrigin + performance.now();
