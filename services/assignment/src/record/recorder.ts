/**
 * The recorder: brings decisions into the database, and keeps those that it cannot bring in yet.
 *
 * Holds a group commit (rows that wait for the next statement), a group of questions who holds what, the gate in
 * front of the database, and a bounded queue of unrecorded decisions. Requests write all of them; the gate's probe
 * drains the queue. Modes are the gate's: open, where `record` waits for the commit up to `commitTimeoutMs`, and shut,
 * where it answers `away` at once. A crash loses the queue: what RECORDS acknowledged other processes bring in, the
 * other answers said `x-recorded: false`, and their ids prove themselves when an event comes back with one.
 */
import { ApiError, limits, type RecordStream, withDeadline } from '@bandit/contracts';
import {
  type CurrentAssignment,
  type CurrentAssignmentKey,
  createGroupCommit,
  type GroupCommit,
  isOutcomeUnknown,
  isStoreUnavailable,
  type NewAssignment,
  sqlStateOf,
} from '@bandit/db';
import { spanAround } from '@bandit/http';
import type { AssignmentStore } from './assignment-store.ts';
import type { BreakerDeps } from './breaker.ts';
import { type BringInDeps, bringIn, type LateOutcome } from './bring-in.ts';
import { type CommitOutcome, commitGroup, findHeld } from './commit-group.ts';
import { DatabaseGate } from './database-gate.ts';
import { createLateCounts } from './late-counts.ts';
import { RecordKeeper } from './record-keeper.ts';
import type { AssignmentRecord } from './record-message.ts';
import { rowsOf, type Unrecorded, UnrecordedQueue } from './unrecorded-queue.ts';

export type RecordOutcome = CommitOutcome | AwayOutcome;

/** The database did not answer in time, or was not asked. */
export interface AwayOutcome {
  readonly kind: 'away';
  /** True when the decision may yet turn out to be recorded. */
  readonly isSent: boolean;
  /** Its commit, while that still runs. */
  readonly pending: Promise<CommitOutcome> | undefined;
}

/** A decision that is answered without the database, and who wants to know how it fares. */
export interface LateDecision extends AssignmentRecord {
  /** Its commit, if that still runs. */
  readonly pending: Promise<CommitOutcome> | undefined;
  /** RECORDS took it after all. */
  readonly onKept: () => void;
  /** The database has decided. */
  readonly onDecided: (outcome: LateOutcome) => void;
}

export interface RecorderDeps {
  store: AssignmentStore;
  /** undefined: there is no such stream (embedded default). */
  records?: Pick<RecordStream, 'put'> | undefined;
  configuration: Pick<BringInDeps, 'isLive' | 'reloadConfiguration'>;
  /** Facts of this learner partition were committed. */
  wake(partition: number): void;
  nowMs(): number;
  log: BreakerDeps['log'];
  commitTimeoutMs?: number | undefined;
  probeIntervalMs?: number | undefined;
  unrecordedMax?: number | undefined;
}

export class Recorder {
  /** After each commit, for metrics. */
  onCommit: (report: { nRows: number; isFailed: boolean }) => void = () => undefined;
  readonly counts = createLateCounts();
  readonly #deps: RecorderDeps;
  readonly #unrecordedMax: number;
  readonly #probeIntervalMs: number;
  readonly #groupCommit: GroupCommit<NewAssignment, CommitOutcome>;
  readonly #questions: GroupCommit<CurrentAssignmentKey, CurrentAssignment | undefined>;
  readonly #gate: DatabaseGate;
  readonly #keeper: RecordKeeper;
  readonly #queue = new UnrecordedQueue();
  /** Rows of the group commit that may be on record. */
  readonly #sent = new WeakSet<NewAssignment>();
  /** Rows still waiting when the gate shut: answered otherwise, so that they must not be recorded. */
  readonly #withdrawn = new WeakSet<NewAssignment>();
  #nPending = 0;

  constructor(deps: RecorderDeps) {
    this.#deps = deps;
    this.#unrecordedMax = deps.unrecordedMax ?? limits.unrecordedAssignmentsMax;
    const bounds = {
      rowsMax: limits.groupCommitRowsMax,
      queueMax: limits.groupCommitQueueMax,
      inFlightMax: limits.groupCommitInFlightMax,
    };
    this.#groupCommit = createGroupCommit({
      ...bounds,
      commit: (rows) => this.#commitInTime(rows),
      onCommit: ({ nRows, error }) => this.onCommit({ nRows, isFailed: error !== undefined }),
    });
    this.#questions = createGroupCommit({ ...bounds, commit: (keys) => this.#findHeld(keys) });
    const { nowMs, log } = deps;
    const probeIntervalMs = deps.probeIntervalMs ?? limits.storeProbeIntervalMs;
    this.#probeIntervalMs = probeIntervalMs;
    this.#gate = new DatabaseGate({
      probe: () => deps.store.probe(),
      onAlive: () => this.#drain(),
      hasWork: () => this.#queue.length > 0,
      timeoutMs: deps.commitTimeoutMs ?? limits.assignmentCommitTimeoutMs,
      probeIntervalMs,
      nowMs,
      log,
    });
    const { records } = deps;
    this.#keeper = new RecordKeeper({
      records,
      queue: this.#queue,
      counts: this.counts,
      probeIntervalMs,
      nowMs,
      log,
    });
  }

  /**
   * Brings one decision into the database with its group.
   * @throws ApiError OVERLOADED or SHUTTING_DOWN before anything was sent; else the statement's own error
   */
  async record(row: NewAssignment): Promise<RecordOutcome> {
    if (this.#gate.isShut()) return { kind: 'away', isSent: false, pending: undefined };
    const pending = spanAround('assignment commit', () => this.#groupCommit.submit(row));
    const waited = await this.#gate.wait(pending);
    if (waited.kind === 'answered') return waited.answer;
    if (waited.kind === 'failed') {
      return { kind: 'away', isSent: isOutcomeUnknown(waited.error), pending: undefined };
    }
    if (!this.#gate.isShut() || this.#sent.has(row)) return { kind: 'away', isSent: true, pending };
    this.#withdrawn.add(row);
    return { kind: 'away', isSent: false, pending: undefined };
  }

  /**
   * The assignment on record of a user, expired ones too.
   * @throws as `record`
   */
  async findCurrent(
    key: CurrentAssignmentKey,
  ): Promise<{ kind: 'found'; current: CurrentAssignment | undefined } | { kind: 'away' }> {
    if (this.#gate.isShut()) return { kind: 'away' };
    const waited = await this.#gate.wait(this.#questions.submit(key));
    return waited.kind === 'answered' ? { kind: 'found', current: waited.answer } : { kind: 'away' };
  }

  /** False when there is no room for another decision that is answered without the database. */
  mayKeep(): boolean {
    return this.nUnrecorded() < this.#unrecordedMax || !this.#keeper.isAway();
  }

  /**
   * Keeps a decision that was answered without the database until it is back: in RECORDS, and in memory.
   *
   * @returns true when RECORDS keeps it, so that it outlives this process
   * @throws ApiError STORE_UNAVAILABLE when neither takes it
   */
  async keep(decision: LateDecision): Promise<boolean> {
    const isKept = await this.#keeper.put(decision);
    if (this.nUnrecorded() >= this.#unrecordedMax) {
      if (isKept) return true;
      throw new ApiError('STORE_UNAVAILABLE', 'The assignment could not be recorded; try again.');
    }
    const { pending, onKept, onDecided } = decision;
    const entry = { record: decision, isKept, onKept, onDecided };
    if (pending) this.#awaitCommit(pending, entry);
    else this.#enqueue(entry);
    return isKept;
  }

  /** As `bringIn`. A database that is away shuts the gate, so that nothing more is taken from RECORDS in vain. */
  async bringIn(rows: readonly NewAssignment[]): Promise<LateOutcome[]> {
    const { store, configuration } = this.#deps;
    const insertSuperseded = async (late: readonly NewAssignment[]) => {
      await store.insertSuperseded(late);
      this.#wakeAll(late);
    };
    const commit = (group: readonly NewAssignment[]) => this.#commit(group);
    return this.#shutOnFailure(bringIn({ ...configuration, commit, insertSuperseded }, rows));
  }

  /** Those of the rows that are on record already, by their nonces in hexadecimal. */
  findRecorded(rows: readonly NewAssignment[]): Promise<ReadonlySet<string>> {
    return this.#shutOnFailure(this.#deps.store.findRecordedNonces(rows));
  }

  /** The own rows first: RECORDS has most of them too, and finds them on record then. */
  mayTakeRecords(): boolean {
    return !this.#gate.isShut() && this.#queue.length === 0;
  }

  /** Decisions that were answered and that this process has yet to bring in. */
  nUnrecorded(): number {
    return this.#queue.length + this.#nPending;
  }

  nWaiting(): number {
    return this.#groupCommit.depth();
  }

  isAway(): boolean {
    return this.#gate.isShut();
  }

  /** The database came back a moment ago: other processes may still answer without it. */
  isJustBack(): boolean {
    return this.#gate.hasJustOpened();
  }

  areRecordsAway(): boolean {
    return this.#keeper.isAway();
  }

  /** One probe now; brings in what waits if the database answers. Also runs by itself. Never rejects. */
  probe(): Promise<void> {
    return this.#gate.probe();
  }

  /** One probe of RECORDS now; puts what waits if it answers. Also runs by itself. Never rejects. */
  probeRecords(): Promise<void> {
    return this.#keeper.probe();
  }

  /** Lets running commits finish and tries once more to bring in what waits, within a bound. */
  async close(): Promise<void> {
    const lastMs = limits.shutdownTimeoutMs / 3;
    if (this.nUnrecorded() > 0) {
      const probing = Promise.all([this.probe(), this.probeRecords()]);
      await withDeadline(probing, lastMs, 'the last probes').catch(() => undefined);
    }
    this.#gate.close();
    this.#keeper.close();
    const closing = Promise.all([this.#groupCommit.close(), this.#questions.close()]);
    await withDeadline(closing, lastMs, 'the last commits').catch(() => undefined);
    const nLost = this.#queue.nUnkept + this.#nPending;
    if (nLost > 0) this.#deps.log.warn({ nLost }, 'assignments were answered but never recorded');
  }

  async #shutOnFailure<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.#gate.noticeFailure(error);
      throw error;
    }
  }

  #awaitCommit(pending: Promise<CommitOutcome>, entry: Unrecorded): void {
    this.#nPending++;
    pending
      .then(
        (outcome) => {
          if (outcome.kind === 'again') this.#enqueue(entry);
          else this.#decided(entry, outcome);
        },
        () => this.#enqueue(entry),
      )
      .finally(() => {
        this.#nPending--;
      });
  }

  #decided(entry: Unrecorded, outcome: LateOutcome): void {
    this.counts.fromMemory[outcome.kind]++;
    if (outcome.kind === 'refused') {
      const details = { err: outcome.error, experimentId: entry.record.row.experimentId };
      this.#deps.log.error(details, 'an answered assignment can never be recorded');
    }
    try {
      entry.onDecided(outcome);
    } catch (error) {
      this.#deps.log.error({ err: error }, 'what was decided about an assignment could not be remembered');
    }
  }

  #enqueue(entry: Unrecorded): void {
    this.#queue.add(entry);
    this.#gate.watch();
    if (!entry.isKept) this.#keeper.watch();
  }

  async #commitInTime(rows: readonly NewAssignment[]): Promise<CommitOutcome[]> {
    const startedMs = this.#deps.nowMs();
    const wanted = rows.filter((row) => !this.#withdrawn.has(row));
    if (wanted.length === 0) return rows.map(() => ({ kind: 'again' }));
    for (const row of wanted) this.#sent.add(row);
    const outcomes = await this.#commit(wanted);
    this.#gate.noticeCommit(startedMs);
    if (wanted.length === rows.length) return outcomes;
    const outcomeOf = new Map(wanted.map((row, i) => [row, outcomes[i]!]));
    return rows.map((row) => outcomeOf.get(row) ?? { kind: 'again' });
  }

  async #commit(rows: readonly NewAssignment[]): Promise<CommitOutcome[]> {
    const outcomes = await this.#commitWithRetries(rows);
    this.#gate.noticeAnswer();
    this.#wakeAll(rows.filter((_, i) => outcomes[i]!.kind === 'recorded'));
    return outcomes;
  }

  async #findHeld(keys: readonly CurrentAssignmentKey[]): Promise<Array<CurrentAssignment | undefined>> {
    const held = await findHeld(this.#deps.store, keys);
    this.#gate.noticeAnswer();
    return keys.map(held);
  }

  #wakeAll(rows: readonly NewAssignment[]): void {
    for (const partition of new Set(rows.map((row) => row.partition))) this.#deps.wake(partition);
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

  /** Brings in what waits, oldest first; what fails waits on. While the gate is shut the next probe is not kept waiting. */
  async #drain(): Promise<void> {
    const startedMs = this.#deps.nowMs();
    const isInTime = () => !this.#gate.isShut() || this.#deps.nowMs() - startedMs < this.#probeIntervalMs;
    while (this.#queue.length > 0 && isInTime()) {
      const group = this.#queue.takeOldest(limits.groupCommitRowsMax);
      try {
        const outcomes = await this.bringIn(rowsOf(group));
        for (const [i, entry] of group.entries()) this.#decided(entry, outcomes[i]!);
      } catch (error) {
        this.#queue.giveBack(group);
        if (!isStoreUnavailable(error)) {
          this.#deps.log.error({ err: error }, 'answered assignments cannot be recorded; tried again');
        }
        return;
      }
    }
  }
}
