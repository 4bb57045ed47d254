/**
 * Many callers, one statement. Rows wait in arrival order; as soon as a commit slot is free, everything that waits
 * (up to `rowsMax`) goes out as one commit, so a quiet system commits at once and a busy one in large groups. There
 * is no timer. A crash loses the rows that wait: nobody has been told yet that they are stored.
 *
 * Modes: open (accepts rows) -> closing (accepts none, drains) -> closed. Only close() changes the mode.
 */
import { ApiError } from '@bandit/contracts';
import { isDataError, isOutcomeUnknown, OutcomeUnknownError } from './store-errors.ts';

export interface GroupCommitOptions<Row, Result> {
  /** Stores the rows in one transaction and returns one result a row, in the same order. */
  readonly commit: (rows: readonly Row[]) => Promise<readonly Result[]>;
  /** Most rows in one commit. */
  readonly rowsMax: number;
  /** Most rows waiting (those being committed not counted); past it submit rejects with OVERLOADED. */
  readonly queueMax: number;
  /** Most commits at one time. */
  readonly inFlightMax: number;
  /** After each commit, for metrics. Must not throw. */
  readonly onCommit?: (report: { nRows: number; nWaiting: number; error?: unknown }) => void;
}

export interface GroupCommit<Row, Result> {
  /**
   * Resolves with this row's result once its commit succeeded.
   *
   * @throws ApiError OVERLOADED (queue full) or SHUTTING_DOWN, both before anything was sent;
   *   OutcomeUnknownError: submit the same row again, the statement tells a repeat by its identity;
   *   else the commit's error: the row is not stored
   */
  submit(row: Row): Promise<Result>;
  /** All rows or none are taken in; each settles by itself, results in the rows' order. */
  submitMany(rows: readonly Row[]): Promise<PromiseSettledResult<Result>[]>;
  /** Rows waiting, those being committed not counted. */
  depth(): number;
  /** Refuses new rows and resolves once every accepted row is settled. */
  close(): Promise<void>;
}

export function createGroupCommit<Row, Result>(
  options: GroupCommitOptions<Row, Result>,
): GroupCommit<Row, Result> {
  const line = createRowLine<Row, Result>(options.queueMax);
  let nInFlight = 0;
  let isScheduled = false;
  const drained = Promise.withResolvers<void>();

  // setImmediate rather than a microtask: everything read from the sockets in this turn shares the first commit.
  const schedule = () => {
    if (isScheduled || nInFlight >= options.inFlightMax || line.length() === 0) return;
    isScheduled = true;
    setImmediate(start);
  };
  const start = () => {
    isScheduled = false;
    while (nInFlight < options.inFlightMax && line.length() > 0) {
      nInFlight += 1;
      void commitGroup(options, line.take(options.rowsMax), line.length).then(finish);
    }
  };
  const resolveWhenDrained = () => {
    if (line.isClosed() && nInFlight === 0 && line.length() === 0) drained.resolve();
  };
  const finish = () => {
    nInFlight -= 1;
    resolveWhenDrained();
    schedule();
  };

  return {
    submit: async (row) => {
      const [result] = line.add([row]) as [Promise<Result>];
      schedule();
      return result;
    },
    submitMany: async (rows) => {
      const results = Promise.allSettled(line.add(rows));
      schedule();
      return results;
    },
    depth: line.length,
    close: () => {
      line.close();
      resolveWhenDrained();
      return drained.promise;
    },
  };
}

interface Waiting<Row, Result> {
  readonly row: Row;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** Rows in order of arrival, `rowsMax` at most. */
function createRowLine<Row, Result>(rowsMax: number) {
  let line: Waiting<Row, Result>[] = [];
  let isClosed = false;
  const add = (row: Row): Promise<Result> => {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    line.push({ row, resolve, reject });
    return promise;
  };
  return {
    /** @throws ApiError SHUTTING_DOWN or OVERLOADED, having taken in nothing */
    add: (rows: readonly Row[]): Promise<Result>[] => {
      if (isClosed) throw new ApiError('SHUTTING_DOWN', 'this process is shutting down: try another');
      if (line.length + rows.length > rowsMax)
        throw new ApiError(
          'OVERLOADED',
          `the write queue is full, it holds ${rowsMax} rows: try again later`,
        );
      return rows.map(add);
    },
    take: (n: number): Waiting<Row, Result>[] => {
      const taken = line.slice(0, n);
      line = line.slice(n);
      return taken;
    },
    length: () => line.length,
    isClosed: () => isClosed,
    close: () => {
      isClosed = true;
    },
  };
}

/**
 * Settles every row of the group and never rejects. A group refused because of a value (SQLSTATE 22, 23) is halved
 * until the row at fault stands alone: nothing of it was stored, and its neighbours must not pay for it.
 */
async function commitGroup<Row, Result>(
  options: GroupCommitOptions<Row, Result>,
  group: readonly Waiting<Row, Result>[],
  nWaiting: () => number,
): Promise<void> {
  try {
    const results = await options.commit(group.map((waiting) => waiting.row));
    if (results.length !== group.length)
      throw new Error(`a commit of ${group.length} rows returned ${results.length} results`);
    options.onCommit?.({ nRows: group.length, nWaiting: nWaiting() });
    group.forEach((waiting, index) => {
      waiting.resolve(results[index] as Result);
    });
  } catch (error) {
    options.onCommit?.({ nRows: group.length, nWaiting: nWaiting(), error });
    if (isDataError(error) && group.length > 1) {
      const middle = group.length >> 1;
      await commitGroup(options, group.slice(0, middle), nWaiting);
      await commitGroup(options, group.slice(middle), nWaiting);
      return;
    }
    const reason = isOutcomeUnknown(error) ? new OutcomeUnknownError(error) : error;
    for (const waiting of group) waiting.reject(reason);
  }
}
