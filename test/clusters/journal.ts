/**
 * The journal of RELIABILITY: one operation a line, with id, start, end, status and a hash of what was answered. Held in
 * memory for the judge; written to a file as well where CLUSTER_JOURNAL names one. Written by the load alone.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';

export type OperationKind = 'assign' | 'convert' | 'batch item' | 'repeat' | 'reward';

/** What one client saw of one operation. Times are milliseconds of one monotonic clock. */
export interface Operation {
  readonly kind: OperationKind;
  /** A user for `assign` and `reward`, an assignment id for events. */
  readonly id: string;
  readonly experimentId: string;
  readonly startMs: number;
  readonly endMs: number;
  /** 0 when the connection broke or nothing came in time. */
  readonly status: number;
  /** Why there is no status, or the code that was answered. */
  readonly error?: string;
  readonly hasRetryAfter?: boolean;
  /** Sent with the reward or conversion. */
  readonly value?: number;
  /** Of an assignment answered 200. */
  readonly assigned?: {
    readonly assignmentId: string;
    readonly treatmentId: string;
    readonly isRecorded: boolean;
  };
  /** Of an event answered 201, or the one that a 409 names. */
  readonly eventId?: string;
}

export type Outcome = 'ok' | 'fail' | 'repeated' | 'unknown';

export interface Journal {
  readonly operations: readonly Operation[];
  /** @param body what was answered, as it came */
  add(operation: Operation, body: string): void;
  /** Operations by kind and status. */
  tally(): Record<string, number>;
}

/** ok -> exactly one row; fail -> none; repeated -> one, made earlier; unknown -> none or one. */
export function outcomeOf({ status }: Operation): Outcome {
  if (status === 200 || status === 201) return 'ok';
  if (status === 409) return 'repeated';
  return status >= 400 && status < 500 ? 'fail' : 'unknown';
}

export function createJournal(file: string | undefined): Journal {
  const operations: Operation[] = [];
  if (file !== undefined) writeFileSync(file, '');
  return {
    operations,
    add: (operation, body) => {
      operations.push(operation);
      if (file === undefined) return;
      const { kind, id, startMs, endMs, status, error } = operation;
      const hash = createHash('sha256').update(body).digest('hex').slice(0, 16);
      appendFileSync(file, `${JSON.stringify({ kind, id, startMs, endMs, status, hash, error })}\n`);
    },
    tally: () => {
      const counts: Record<string, number> = {};
      for (const { kind, status, error } of operations) {
        const name = `${kind} ${status === 0 ? '' : status} ${error ?? ''}`.replaceAll(/ +/g, ' ').trim();
        counts[name] = (counts[name] ?? 0) + 1;
      }
      return counts;
    },
  };
}
