/**
 * The assigner: which treatment a user gets.
 *
 * Holds what is known of users, and the decisions that run (one per user of an experiment). Requests write and read
 * both; what the database decides later about an answer given without it corrects them. Order of asking: this process, the shared cache, then a draw that the database
 * confirms or answers with the one that stands. While the database is away the shared cache arbitrates, without one a
 * draw that all instances make alike; once it is back, whoever holds such an answer asks the database before giving it
 * again. A crash loses nothing.
 */
import type { AssignmentIdCodec } from '@bandit/auth';
import { ApiError, type AssignmentCache, type ExperimentSnapshot, limits } from '@bandit/contracts';
import type { Context, Decision, Policy, Rng } from '@bandit/core';
import type { NewAssignment } from '@bandit/db';
import type { HotState } from '../hot-state/hot-state.ts';
import type { PreparedPolicy } from '../hot-state/state-entry.ts';
import type { AssignmentCounts, AssignmentOrigin } from '../metrics/assignment-counts.ts';
import type { LateOutcome } from '../record/bring-in.ts';
import { type CommitOutcome, hex } from '../record/commit-group.ts';
import { rowOfFields } from '../record/record-message.ts';
import type { AwayOutcome, Recorder } from '../record/recorder.ts';
import { decideByHash } from './decide.ts';
import { judge, type KnownAssignment, toKnownAssignment, type Verdict } from './known-assignment.ts';
import { type ExperimentUser, KnownUsers, userKey } from './known-users.ts';
import { toRow } from './to-row.ts';

export interface AssignerDeps {
  hotState: Pick<HotState, 'findPolicy' | 'loadPolicy'>;
  recorder: Pick<Recorder, 'record' | 'keep' | 'mayKeep' | 'findCurrent' | 'isAway' | 'isJustBack'>;
  cache: AssignmentCache;
  /** True when other processes share the cache, so that it can arbitrate between them. */
  isCacheShared: boolean;
  ids: AssignmentIdCodec;
  rng: Rng;
  /** 16 random bytes. */
  makeNonce(): Uint8Array;
  /** Key of the draw without stores, the same on all instances. */
  fallbackKey: Uint8Array;
  nowMs(): number;
  findExperiment(companyId: string, experimentId: string): ExperimentSnapshot | undefined;
  /** Brings the configuration up to date. Never rejects. */
  reloadConfiguration(): Promise<void>;
  counts: AssignmentCounts;
  /** Was the user erased after an assignment of then? */
  isErased(companyId: string, userId: string, assignedAtMs: number): boolean;
  stickyEntriesMax?: number;
}

/** A request whose experiment is known and active. */
export interface AssignmentRequest extends ExperimentUser {
  readonly context: Context | undefined;
}

type Held = Extract<CommitOutcome, { kind: 'held' }>;

export class Assigner {
  readonly #deps: AssignerDeps;
  readonly #users: KnownUsers;
  readonly #deciding = new Map<string, Promise<KnownAssignment>>();

  constructor(deps: AssignerDeps) {
    this.#deps = deps;
    const entriesMax = deps.stickyEntriesMax ?? limits.stickyCacheEntriesMax;
    this.#users = new KnownUsers({ ...deps, entriesMax });
  }

  /** What this process knows the user to have; synchronous, as most requests end here. */
  findKnown(experiment: ExperimentSnapshot, userId: string): KnownAssignment | undefined {
    const known = this.#users.get({ experiment, userId });
    if (!known || judge(known, experiment, this.#deps.nowMs()) !== 'valid') return undefined;
    if (this.#mustConfirm(known)) return undefined;
    this.#deps.counts.add(experiment.algorithm, 'known');
    return known;
  }

  /**
   * The user's assignment, made now if there is none. Simultaneous calls for one user share one decision.
   * @throws ApiError OVERLOADED, STORE_UNAVAILABLE or SHUTTING_DOWN
   */
  assign(request: AssignmentRequest): Promise<KnownAssignment> {
    if (request.experiment.assignmentTtlSeconds === 0) return this.#decide(request, undefined);
    const key = userKey(request);
    const running = this.#deciding.get(key);
    if (running) return running;
    const deciding = this.#findOrDecide(request).finally(() => this.#deciding.delete(key));
    this.#deciding.set(key, deciding);
    return deciding;
  }

  /** The database has decided about an assignment that some process answered without it: caches say so too. */
  correct(row: NewAssignment, outcome: LateOutcome): void {
    const experiment = this.#deps.findExperiment(row.companyId, row.experimentId);
    if (!experiment || !row.isSticky) return;
    if (outcome.kind === 'refused' || outcome.kind === 'erased') return;
    const { ids, nowMs } = this.#deps;
    const fields = outcome.kind === 'held' ? outcome.by : row;
    const stands = toKnownAssignment(ids.sign(fields), fields, experiment, 'settled');
    if (judge(stands, experiment, nowMs()) !== 'valid') return;
    const user = { experiment, userId: row.userId };
    const known = this.#users.get(user);
    if (known?.standing === 'settled' && known.assignmentId !== stands.assignmentId) return;
    if (known) this.#users.remember(user, stands);
    this.#users.share(user, stands);
  }

  /** An end user was erased: what is known of the assignments goes, here and in the shared cache. Never rejects. */
  forget(companyId: string, experimentIds: readonly string[], userId: string): Promise<void> {
    return this.#users.forget(companyId, experimentIds, userId);
  }

  /** As `forget`, of whoever is known here and named by `isMeant`. */
  forgetEach(
    companyIds: readonly string[],
    isMeant: (companyId: string, userId: string) => boolean,
  ): Promise<void> {
    return this.#users.forgetEach(companyIds, isMeant);
  }

  async #findOrDecide(request: AssignmentRequest): Promise<KnownAssignment> {
    const held = this.#users.get(request);
    const heldVerdict = held && this.#judge(request, held);
    if (held && heldVerdict === 'removed') return this.#decide(request, this.#nonceOf(held));
    if (held && heldVerdict === 'valid') return this.#confirm(request, held, 'known');
    const cached = await this.#users.find(request);
    if (!cached) return this.#decide(request, undefined);
    const verdict = this.#judge(request, cached);
    if (verdict === 'valid') return this.#confirm(request, cached, 'cache');
    return this.#decide(request, verdict === 'removed' ? this.#nonceOf(cached) : undefined);
  }

  #mustConfirm(known: KnownAssignment): boolean {
    return known.standing !== 'settled' && !this.#deps.recorder.isAway();
  }

  /** An assignment that was answered without the database is given again once that says what stands. */
  async #confirm(
    request: AssignmentRequest,
    known: KnownAssignment,
    origin: AssignmentOrigin,
  ): Promise<KnownAssignment> {
    const { experiment, userId } = request;
    const { recorder, ids } = this.#deps;
    const fields = this.#mustConfirm(known) ? ids.verify(known.assignmentId) : undefined;
    if (!fields) return this.#remember(request, known, origin);
    const key = { companyId: experiment.companyId, experimentId: experiment.id, userId };
    const answer = await recorder.findCurrent(key);
    if (answer.kind === 'away') return this.#remember(request, known, origin);
    const { current } = answer;
    if (current && hex(current.nonce) === hex(fields.nonce)) return this.#settleKnown(request, known, origin);
    if (!current || current.expiresAtMs <= fields.assignedAtMs) {
      return this.#adopt(request, known, origin, undefined);
    }
    const held = this.#toHeld(request, { kind: 'held', by: current });
    const verdict = this.#judge(request, held);
    if (verdict === 'valid') return this.#remember(request, held, 'held');
    if (verdict === 'removed') return this.#adopt(request, known, origin, current.nonce);
    return this.#decide(request, undefined);
  }

  /** Not brought in yet. After a while nobody will: the process that made it died before anyone else had it. */
  async #adopt(
    request: AssignmentRequest,
    known: KnownAssignment,
    origin: AssignmentOrigin,
    droppedNonce: Uint8Array | undefined,
  ): Promise<KnownAssignment> {
    const { ids, recorder, nowMs } = this.#deps;
    const fields = ids.verify(known.assignmentId)!;
    const isFresh = nowMs() - fields.assignedAtMs < limits.adoptAssignmentAfterMs;
    const beside = { predictions: undefined, context: undefined, droppedNonce };
    const row = isFresh ? undefined : rowOfFields(fields, beside);
    const outcome = row && (await recorder.record(row));
    if (outcome?.kind === 'recorded') return this.#settleKnown(request, known, origin);
    return this.#remember(request, known, origin);
  }

  #settleKnown(
    request: AssignmentRequest,
    known: KnownAssignment,
    origin: AssignmentOrigin,
  ): KnownAssignment {
    known.standing = 'settled';
    this.#users.share(request, known);
    return this.#remember(request, known, origin);
  }

  /** Draws, and lets the database confirm it or name the assignment that stands. */
  async #decide(request: AssignmentRequest, droppedNonce: Uint8Array | undefined): Promise<KnownAssignment> {
    let current = request;
    let dropped = droppedNonce;
    for (let attempt = 0; attempt < limits.assignmentAttemptsMax; attempt++) {
      const { policy, stateVersion } = await this.#policyOf(current.experiment);
      const decision = policy.decide(current.context, this.#deps.rng.uniform());
      const row = this.#toRow(current, decision, stateVersion, dropped);
      // Processes that still answer without the database must learn of this one, and this one of theirs.
      const isClaimed = attempt === 0 && row.isSticky && this.#deps.recorder.isJustBack();
      const claimed = isClaimed ? await this.#claim(current, row) : undefined;
      if (claimed) return this.#remember(current, claimed, 'claimed');
      const outcome = await this.#deps.recorder.record(row);
      if (outcome.kind === 'recorded') {
        return this.#remember(current, this.#toOwn(current, row, 'settled'), 'draw');
      }
      if (outcome.kind === 'away') {
        const away = { ...outcome, isSent: outcome.isSent || isClaimed };
        return this.#decideAway(current, row, away, policy);
      }
      // An erased user who asks again is another subject, with a decision of after the erasure.
      if (outcome.kind === 'again' || outcome.kind === 'erased') continue;
      const held = this.#toHeld(current, outcome);
      const verdict = this.#judge(current, held);
      const { companyId } = current.experiment;
      const isErased = this.#deps.isErased(companyId, current.userId, outcome.by.assignedAtMs);
      if (verdict === 'valid' && !isErased) return this.#remember(current, held, 'held');
      dropped = verdict === 'removed' ? outcome.by.nonce : undefined;
      if (verdict === 'unknown') current = await this.#reload(current);
    }
    throw new ApiError('STORE_UNAVAILABLE', 'The assignment could not be settled; try again.');
  }

  /** @returns the assignment of another process that came first */
  #claim(request: AssignmentRequest, row: NewAssignment): Promise<KnownAssignment | undefined> {
    return this.#users.claim(request, this.#toOwn(request, row, 'unrecorded'));
  }

  /** Without the database: the shared cache arbitrates; without one, all instances draw alike. */
  async #decideAway(
    request: AssignmentRequest,
    drawn: NewAssignment,
    { isSent, pending }: AwayOutcome,
    policy: Policy,
  ): Promise<KnownAssignment> {
    const { experiment, userId, context } = request;
    const { recorder, fallbackKey } = this.#deps;
    // Before anything is claimed that nobody would be given.
    if (!recorder.mayKeep()) {
      throw new ApiError('STORE_UNAVAILABLE', 'The assignment could not be recorded; try again.');
    }
    let row = drawn;
    // A decision that may be on record already stays what it is.
    if (!isSent && drawn.isSticky) {
      const decision = decideByHash(fallbackKey, experiment, userId, policy, context);
      row = this.#toRow(request, decision, drawn.stateVersion, drawn.droppedNonce);
    }
    const own = this.#toOwn(request, row, 'unrecorded');
    const claimed = drawn.isSticky ? await this.#users.claim(request, own) : undefined;
    // Whoever claimed it records it.
    if (claimed) return this.#remember(request, claimed, 'claimed');
    const isKept = await recorder.keep({
      row,
      assignmentId: own.assignmentId,
      pending,
      onKept: () => this.#keep(request, own),
      onDecided: (outcome) => this.#settle(request, own, outcome),
    });
    if (isKept && own.standing === 'unrecorded') own.standing = 'kept';
    return this.#remember(request, own, 'fallback');
  }

  /** RECORDS took it after the answer. */
  #keep(request: AssignmentRequest, own: KnownAssignment): void {
    if (own.standing !== 'unrecorded') return;
    own.standing = 'kept';
    if (this.#users.isLatest(request, own)) this.#users.share(request, own);
  }

  /** The database is back and has decided about an assignment that was answered without it. */
  #settle(request: AssignmentRequest, own: KnownAssignment, outcome: LateOutcome): void {
    if (outcome.kind === 'refused' || !this.#users.isLatest(request, own)) return;
    if (outcome.kind === 'erased') {
      const { experiment, userId } = request;
      void this.#users.forget(experiment.companyId, [experiment.id], userId);
      return;
    }
    if (outcome.kind === 'recorded') own.standing = 'settled';
    const stands = outcome.kind === 'recorded' ? own : this.#toHeld(request, outcome);
    this.#users.remember(request, stands);
    this.#users.share(request, stands);
  }

  async #reload(request: AssignmentRequest): Promise<AssignmentRequest> {
    const { companyId, id } = request.experiment;
    await this.#deps.reloadConfiguration();
    return { ...request, experiment: this.#deps.findExperiment(companyId, id) ?? request.experiment };
  }

  async #policyOf(experiment: ExperimentSnapshot): Promise<PreparedPolicy> {
    const { hotState } = this.#deps;
    return hotState.findPolicy(experiment) ?? (await hotState.loadPolicy(experiment));
  }

  #toRow(
    request: AssignmentRequest,
    decision: Decision,
    stateVersion: number,
    droppedNonce: Uint8Array | undefined,
  ): NewAssignment {
    const { makeNonce, nowMs, ids } = this.#deps;
    const stamp = { nonce: makeNonce(), assignedAtMs: nowMs(), macKeyId: ids.currentKeyId };
    return toRow(request, decision, { ...stamp, stateVersion, droppedNonce });
  }

  #toOwn(request: AssignmentRequest, row: NewAssignment, standing: KnownAssignment['standing']) {
    return toKnownAssignment(this.#deps.ids.sign(row), row, request.experiment, standing);
  }

  #toHeld(request: AssignmentRequest, { by }: Held): KnownAssignment {
    return toKnownAssignment(this.#deps.ids.sign(by), by, request.experiment, 'settled');
  }

  #remember(request: AssignmentRequest, known: KnownAssignment, origin: AssignmentOrigin): KnownAssignment {
    this.#deps.counts.add(request.experiment.algorithm, origin);
    this.#users.remember(request, known);
    if (newOrigins.has(origin)) this.#users.share(request, known);
    return known;
  }

  #judge({ experiment }: AssignmentRequest, known: KnownAssignment): Verdict {
    return judge(known, experiment, this.#deps.nowMs());
  }

  #nonceOf({ assignmentId }: KnownAssignment): Uint8Array | undefined {
    return this.#deps.ids.verify(assignmentId)?.nonce;
  }
}

/** What the shared cache does not hold already. */
const newOrigins: ReadonlySet<AssignmentOrigin> = new Set(['draw', 'held', 'fallback']);
