/**
 * The assigner: which treatment a user gets.
 *
 * Holds the process's least recently used cache of known assignments, shared by all experiments, and the decisions
 * that run (one per user of an experiment). Requests write and read both. Order of asking: this process, the shared
 * cache, then a draw that the database confirms or answers with the one that stands. While the database is away the
 * shared cache arbitrates, without one a draw that all instances make alike. A crash loses nothing.
 */
import type { AssignmentIdCodec } from '@bandit/auth';
import {
  ApiError,
  type AssignmentCache,
  assignmentCacheKey,
  type ExperimentSnapshot,
  limits,
} from '@bandit/contracts';
import type { Context, Decision, Policy, Rng } from '@bandit/core';
import type { NewAssignment } from '@bandit/db';
import { LRUCache } from 'lru-cache';
import type { HotState } from '../hot-state/hot-state.ts';
import type { PreparedPolicy } from '../hot-state/state-entry.ts';
import type { AssignmentCounts, AssignmentOrigin } from '../metrics/assignment-counts.ts';
import type { CommitOutcome } from '../record/commit-group.ts';
import type { AwayOutcome, Recorder } from '../record/recorder.ts';
import { decideByHash } from './decide.ts';
import { judge, type KnownAssignment, toKnownAssignment } from './known-assignment.ts';

export interface AssignerDeps {
  hotState: Pick<HotState, 'findPolicy' | 'loadPolicy'>;
  recorder: Pick<Recorder, 'record' | 'keep'>;
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
  stickyEntriesMax?: number;
}

/** A request whose experiment is known and active. */
export interface AssignmentRequest {
  readonly experiment: ExperimentSnapshot;
  readonly userId: string;
  readonly context: Context | undefined;
}

export class Assigner {
  readonly #deps: AssignerDeps;
  readonly #sticky: LRUCache<string, KnownAssignment>;
  readonly #deciding = new Map<string, Promise<KnownAssignment>>();

  constructor(deps: AssignerDeps) {
    this.#deps = deps;
    this.#sticky = new LRUCache({ max: deps.stickyEntriesMax ?? limits.stickyCacheEntriesMax });
  }

  /** What this process knows the user to have; synchronous, as most requests end here. */
  findKnown(experiment: ExperimentSnapshot, userId: string): KnownAssignment | undefined {
    const known = this.#sticky.get(stickyKey(experiment, userId));
    if (!known || judge(known, experiment, this.#deps.nowMs()) !== 'valid') return undefined;
    this.#deps.counts.add(experiment.algorithm, 'known');
    return known;
  }

  /**
   * The user's assignment, made now if there is none. Simultaneous calls for one user share one decision.
   * @throws ApiError OVERLOADED, STORE_UNAVAILABLE or SHUTTING_DOWN
   */
  assign(request: AssignmentRequest): Promise<KnownAssignment> {
    if (request.experiment.assignmentTtlSeconds === 0) return this.#decide(request, undefined);
    const key = stickyKey(request.experiment, request.userId);
    const running = this.#deciding.get(key);
    if (running) return running;
    const deciding = this.#findOrDecide(request).finally(() => this.#deciding.delete(key));
    this.#deciding.set(key, deciding);
    return deciding;
  }

  async #findOrDecide(request: AssignmentRequest): Promise<KnownAssignment> {
    const { experiment, userId } = request;
    const held = this.#sticky.get(stickyKey(experiment, userId));
    if (held && judge(held, experiment, this.#deps.nowMs()) === 'removed') {
      return this.#decide(request, this.#deps.ids.verify(held.assignmentId)?.nonce);
    }
    const cached = this.#readId(request, await this.#deps.cache.find(cacheKey(request)), true);
    if (!cached) return this.#decide(request, undefined);
    const verdict = judge(cached.known, experiment, this.#deps.nowMs());
    if (verdict === 'valid') return this.#remember(request, cached.known, 'cache');
    return this.#decide(request, verdict === 'removed' ? cached.nonce : undefined);
  }

  /** Draws, and lets the database confirm it or name the assignment that stands. */
  async #decide(request: AssignmentRequest, droppedNonce: Uint8Array | undefined): Promise<KnownAssignment> {
    let current = request;
    let dropped = droppedNonce;
    for (let attempt = 0; attempt < limits.assignmentAttemptsMax; attempt++) {
      const { policy, stateVersion } = await this.#policyOf(current.experiment);
      const decision = policy.decide(current.context, this.#deps.rng.uniform());
      const row = this.#toRow(current, decision, stateVersion, dropped);
      const outcome = await this.#deps.recorder.record(row);
      if (outcome.kind === 'recorded') return this.#answerOwn(current, row, true, 'draw');
      if (outcome.kind === 'away') return this.#decideAway(current, row, outcome, policy, stateVersion);
      if (outcome.kind === 'again') continue;
      const held = this.#toHeld(current, outcome);
      const verdict = judge(held, current.experiment, this.#deps.nowMs());
      if (verdict === 'valid') return this.#remember(current, held, 'held');
      dropped = verdict === 'removed' ? outcome.by.nonce : undefined;
      if (verdict === 'unknown') current = await this.#reload(current);
    }
    throw new ApiError('STORE_UNAVAILABLE', 'The assignment could not be settled; try again.');
  }

  /** Without the database: the shared cache arbitrates; without one, all instances draw alike. */
  async #decideAway(
    request: AssignmentRequest,
    drawn: NewAssignment,
    { isSent, pending }: AwayOutcome,
    policy: Policy,
    stateVersion: number,
  ): Promise<KnownAssignment> {
    const { experiment, userId, context } = request;
    let row = drawn;
    // A decision that may be on record already stays what it is.
    if (!isSent && drawn.isSticky) {
      const decision = decideByHash(this.#deps.fallbackKey, experiment, userId, policy, context);
      row = this.#toRow(request, decision, stateVersion, drawn.droppedNonce);
    }
    const own = this.#toOwn(request, row, false);
    const claimed = drawn.isSticky ? await this.#claim(request, own) : undefined;
    if (claimed) {
      // Whoever claimed it records it.
      this.#remember(request, { ...claimed, isRecorded: true }, 'claimed');
      return claimed;
    }
    this.#deps.recorder.keep(row, pending, (outcome) => this.#settle(request, own, outcome));
    return this.#remember(request, own, 'fallback');
  }

  /** @returns the other instance's assignment that came first; undefined when the own one holds */
  async #claim(request: AssignmentRequest, own: KnownAssignment): Promise<KnownAssignment | undefined> {
    const { cache, isCacheShared, nowMs } = this.#deps;
    if (!isCacheShared || !cache.isConnected()) return undefined;
    const key = cacheKey(request);
    const claim = async () => {
      const winner = await cache.claim(key, own.assignmentId, own.expiresAtMs - nowMs());
      return winner === own.assignmentId ? own : this.#readId(request, winner, false)?.known;
    };
    const isServed = (known: KnownAssignment | undefined) =>
      known !== undefined && judge(known, request.experiment, nowMs()) === 'valid';
    try {
      let winner = await claim();
      if (!isServed(winner)) {
        // It holds what no longer counts: that makes way, once.
        await cache.remove([key]);
        winner = await claim();
      }
      return winner !== own && isServed(winner) ? winner : undefined;
    } catch {
      return undefined; // The cache is away too; its adapter counts and logs that.
    }
  }

  /** The database is back and has decided about an assignment that was answered without it. */
  #settle(request: AssignmentRequest, own: KnownAssignment, outcome: CommitOutcome): void {
    if (outcome.kind === 'recorded') own.isRecorded = true;
    else if (outcome.kind === 'held') this.#store(request, this.#toHeld(request, outcome));
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
    { experiment, userId, context }: AssignmentRequest,
    { armIndex, propensity, confidence, predictions }: Decision,
    stateVersion: number,
    droppedNonce: Uint8Array | undefined,
  ): NewAssignment {
    const assignedAtMs = this.#deps.nowMs();
    return {
      companyId: experiment.companyId,
      experimentId: experiment.id,
      treatmentId: experiment.treatments[armIndex]!.id,
      partition: experiment.partition,
      userId,
      nonce: this.#deps.makeNonce(),
      assignedAtMs,
      expiresAtMs: assignedAtMs + experiment.assignmentTtlSeconds * 1_000,
      propensity,
      confidence,
      stateVersion,
      predictions,
      context,
      macKeyId: this.#deps.ids.currentKeyId,
      isSticky: experiment.assignmentTtlSeconds > 0,
      droppedNonce,
    };
  }

  #toOwn(request: AssignmentRequest, row: NewAssignment, isRecorded: boolean): KnownAssignment {
    return toKnownAssignment(this.#deps.ids.sign(row), row, request.experiment, isRecorded);
  }

  #toHeld(request: AssignmentRequest, { by }: Extract<CommitOutcome, { kind: 'held' }>): KnownAssignment {
    return toKnownAssignment(this.#deps.ids.sign(by), by, request.experiment, true);
  }

  /** A cache is not trusted: its value must be an id that verifies, of this very user. */
  #readId({ experiment, userId }: AssignmentRequest, id: string | undefined, isRecorded: boolean) {
    const fields = id === undefined ? undefined : this.#deps.ids.verify(id);
    if (!id || !fields || fields.companyId !== experiment.companyId) return undefined;
    if (fields.experimentId !== experiment.id || fields.userId !== userId) return undefined;
    return { known: toKnownAssignment(id, fields, experiment, isRecorded), nonce: fields.nonce };
  }

  #answerOwn(
    request: AssignmentRequest,
    row: NewAssignment,
    isRecorded: boolean,
    origin: AssignmentOrigin,
  ): KnownAssignment {
    return this.#remember(request, this.#toOwn(request, row, isRecorded), origin);
  }

  #remember(request: AssignmentRequest, known: KnownAssignment, origin: AssignmentOrigin): KnownAssignment {
    this.#deps.counts.add(request.experiment.algorithm, origin);
    this.#store(request, known, origin !== 'cache');
    return known;
  }

  #store(request: AssignmentRequest, known: KnownAssignment, isForAll = true): void {
    const leftMs = known.expiresAtMs - this.#deps.nowMs();
    if (leftMs <= 0) return;
    this.#sticky.set(stickyKey(request.experiment, request.userId), known);
    if (isForAll) this.#deps.cache.put(cacheKey(request), known.assignmentId, leftMs);
  }
}

/** Experiment ids are unique over all companies and hold no colon. */
const stickyKey = (experiment: ExperimentSnapshot, userId: string) => `${experiment.id}:${userId}`;

const cacheKey = ({ experiment, userId }: AssignmentRequest) =>
  assignmentCacheKey(experiment.companyId, experiment.id, userId);
