/**
 * The recorder: brings decisions into the database, and keeps those that it cannot bring in yet.
 *
 * Holds a group commit (rows that wait for the next statement), a breaker, and a bounded queue of unrecorded
 * decisions. Requests write all three; the breaker's probe drains the queue. Modes are the breaker's: closed, where
 * `record` waits for the commit up to `commitTimeoutMs`, and open, where it answers `away` at once. A crash loses the
 * queue: those answers said `x-recorded: false`, and their ids prove themselves when an event comes back with one.
 */
import { ApiError, limits, withDeadline } from '@bandit/contracts';
import {
  createGroupCommit,
  type GroupCommit,
  isOutcomeUnknown,
  isStoreUnavailable,
  type NewAssignment,
  sqlStateOf,
} from '@bandit/db';
import type { AssignmentStore } from './assignment-store.ts';
import { Breaker, type BreakerDeps } from './breaker.ts';
import { type CommitOutcome, commitGroup } from './commit-group.ts';
import { lateResult, settleWithin } from './settle-within.ts';

export type RecordOutcome = CommitOutcome | AwayOutcome;

/** The database did not answer in time, or was not asked. */
export interface AwayOutcome {
  readonly kind: 'away';
  /** True when the decision may yet turn out to be recorded. */
  readonly isSent: boolean;
  /** Its commit, while that still runs. */
  readonly pending: Promise<CommitOutcome> | undefined;
}

export interface RecorderDeps {
  store: AssignmentStore;
  /** Facts of this learner partition were committed. */
  wake(partition: number): void;
  nowMs(): number;
  log: BreakerDeps['log'];
  commitTimeoutMs?: number | undefined;
  probeIntervalMs?: number | undefined;
  unrecordedMax?: number | undefined;
}

interface Unrecorded {
  readonly row: NewAssignment;
  readonly settle: (outcome: CommitOutcome) => void;
}

export class Recorder {
  /** After each commit, for metrics. */
  onCommit: (report: { nRows: number; isFailed: boolean }) => void = () => undefined;
  readonly #deps: RecorderDeps;
  readonly #commitTimeoutMs: number;
  readonly #groupCommit: GroupCommit<NewAssignment, CommitOutcome>;
  readonly #breaker: Breaker;
  #unrecorded: Unrecorded[] = [];
  #nPending = 0;
  #nSlow = 0;
  #lastCommitMs: number;

  constructor(deps: RecorderDeps) {
    this.#deps = deps;
    this.#commitTimeoutMs = deps.commitTimeoutMs ?? limits.assignmentCommitTimeoutMs;
    this.#lastCommitMs = deps.nowMs();
    this.#groupCommit = createGroupCommit({
      commit: (rows) => this.#commit(rows),
      rowsMax: limits.groupCommitRowsMax,
      queueMax: limits.groupCommitQueueMax,
      inFlightMax: limits.groupCommitInFlightMax,
      onCommit: ({ nRows, error }) => this.onCommit({ nRows, isFailed: error !== undefined }),
    });
    this.#breaker = new Breaker({
      probe: () => deps.store.probe(),
      onAlive: () => this.#drain(),
      hasWork: () => this.#unrecorded.length > 0,
      slowMs: this.#slowMs(),
      intervalMs: deps.probeIntervalMs ?? limits.storeProbeIntervalMs,
      nowMs: deps.nowMs,
      log: deps.log,
    });
  }

  /**
   * Brings one decision into the database with its group.
   * @throws ApiError OVERLOADED or SHUTTING_DOWN before anything was sent; else the statement's own error
   */
  async record(row: NewAssignment): Promise<RecordOutcome> {
    if (this.#breaker.isOpen()) return { kind: 'away', isSent: false, pending: undefined };
    const pending = this.#groupCommit.submit(row);
    const submittedMs = this.#deps.nowMs();
    try {
      const outcome = await settleWithin(pending, this.#commitTimeoutMs);
      if (outcome !== lateResult) return outcome;
    } catch (error) {
      if (!isStoreUnavailable(error)) throw error;
      this.#breaker.trip(error);
      return { kind: 'away', isSent: isOutcomeUnknown(error), pending: undefined };
    }
    // Nothing at all was committed since: the database hangs. Else it is only behind.
    if (this.#lastCommitMs <= submittedMs) {
      this.#breaker.trip(new Error(`no commit was answered within ${this.#commitTimeoutMs} ms`));
    }
    return { kind: 'away', isSent: true, pending };
  }

  /**
   * Keeps a decision that was answered without the database until it is back.
   *
   * @param pending its commit, if that still runs
   * @param settle told what the database decided in the end
   * @throws ApiError STORE_UNAVAILABLE when as many as may be kept are kept
   */
  keep(
    row: NewAssignment,
    pending: Promise<CommitOutcome> | undefined,
    settle: (outcome: CommitOutcome) => void,
  ): void {
    if (this.nUnrecorded() >= (this.#deps.unrecordedMax ?? limits.unrecordedAssignmentsMax)) {
      throw new ApiError('STORE_UNAVAILABLE', 'The assignment could not be recorded; try again.');
    }
    const unrecorded = { row, settle };
    if (pending) this.#awaitCommit(pending, unrecorded);
    else this.#enqueue(unrecorded);
  }

  /** Decisions that were answered and are not on record yet. */
  nUnrecorded(): number {
    return this.#unrecorded.length + this.#nPending;
  }

  nWaiting(): number {
    return this.#groupCommit.depth();
  }

  isAway(): boolean {
    return this.#breaker.isOpen();
  }

  /** One probe now; brings in what waits if the database answers. Also runs by itself. Never rejects. */
  probe(): Promise<void> {
    return this.#breaker.check();
  }

  /** Lets running commits finish and tries once more to bring in what waits, within a bound. */
  async close(): Promise<void> {
    const lastMs = limits.shutdownTimeoutMs / 3;
    if (this.nUnrecorded() > 0) {
      await withDeadline(this.probe(), lastMs, 'the last probe').catch(() => undefined);
    }
    this.#breaker.close();
    await withDeadline(this.#groupCommit.close(), lastMs, 'the last commits').catch(() => undefined);
    const nLost = this.nUnrecorded();
    if (nLost > 0) this.#deps.log.warn({ nLost }, 'assignments were answered but never recorded');
  }

  #slowMs(): number {
    return this.#commitTimeoutMs * slowShare;
  }

  #awaitCommit(pending: Promise<CommitOutcome>, unrecorded: Unrecorded): void {
    this.#nPending++;
    pending
      .then(
        (outcome) => this.#settle(unrecorded, outcome),
        () => this.#enqueue(unrecorded),
      )
      .finally(() => {
        this.#nPending--;
      });
  }

  #settle(unrecorded: Unrecorded, outcome: CommitOutcome): void {
    if (outcome.kind === 'again') this.#enqueue(unrecorded);
    else unrecorded.settle(outcome);
  }

  #enqueue(unrecorded: Unrecorded): void {
    this.#unrecorded.push(unrecorded);
    this.#breaker.watch();
  }

  async #commit(rows: readonly NewAssignment[]): Promise<CommitOutcome[]> {
    const startedMs = this.#deps.nowMs();
    const outcomes = await this.#commitWithRetries(rows);
    this.#lastCommitMs = this.#deps.nowMs();
    this.#noticeSlowness(this.#lastCommitMs - startedMs);
    const partitions = new Set<number>();
    for (const [i, row] of rows.entries())
      if (outcomes[i]!.kind === 'recorded') partitions.add(row.partition);
    for (const partition of partitions) this.#deps.wake(partition);
    return outcomes;
  }

  /** Deadlocks and serialisation failures undid everything: run again at once. */
  async #commitWithRetries(rows: readonly NewAssignment[]): Promise<CommitOutcome[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await commitGroup(this.#deps.store, rows);
      } catch (error) {
        const state = sqlStateOf(error);
        const isTransient = state === '40001' || state === '40P01';
        if (!isTransient || attempt === limits.groupCommitRetriesMax) throw error;
      }
    }
  }

  #noticeSlowness(tookMs: number): void {
    this.#nSlow = tookMs > this.#slowMs() ? this.#nSlow + 1 : 0;
    if (this.#nSlow < limits.slowCommitsInARowMax) return;
    this.#nSlow = 0;
    this.#breaker.trip(new Error(`commits take longer than ${this.#slowMs()} ms`));
  }

  /** Brings in what waits, oldest first; what fails waits on. */
  async #drain(): Promise<void> {
    while (this.#unrecorded.length > 0) {
      const group = this.#unrecorded.splice(0, limits.groupCommitRowsMax);
      const nFailed = await this.#drainGroup(group);
      if (nFailed > 0) return;
    }
  }

  async #drainGroup(group: readonly Unrecorded[]): Promise<number> {
    try {
      const outcomes = await this.#commit(group.map(({ row }) => row));
      for (const [i, unrecorded] of group.entries()) this.#settle(unrecorded, outcomes[i]!);
      return 0;
    } catch (error) {
      if (!isStoreUnavailable(error)) return this.#dropRefused(group, error);
      this.#unrecorded.unshift(...group);
      return group.length;
    }
  }

  /** A row that the database refuses for what it says can never be recorded, and must not hold up the others. */
  async #dropRefused(group: readonly Unrecorded[], error: unknown): Promise<number> {
    if (group.length === 1) {
      this.#deps.log.warn({ err: error }, 'an answered assignment can never be recorded');
      return 0;
    }
    const middle = group.length >> 1;
    const nFailed = await this.#drainGroup(group.slice(0, middle));
    return nFailed + (await this.#drainGroup(group.slice(middle)));
  }
}

/** Commits slower than this share of the deadline, several in a row, open the breaker before anyone runs into it. */
const slowShare = 0.4;
