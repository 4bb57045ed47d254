/**
 * What is known of users: the process's least recently used cache of their assignments, shared by all experiments, and
 * the cache that processes share. The assigner writes and reads both. Neither is the truth: both may be dropped at any
 * moment, and a crash loses nothing.
 */

import { setImmediate } from 'node:timers/promises';
import type { AssignmentIdCodec } from '@bandit/auth';
import { type AssignmentCache, assignmentCacheKey, type ExperimentSnapshot, limits } from '@bandit/contracts';
import { LRUCache } from 'lru-cache';
import type { AssignmentCounts } from '../metrics/assignment-counts.ts';
import { parseCachedValue, toCachedValue } from './cached-value.ts';
import { claimInCache, findChainOfKeys } from './claim-in-cache.ts';
import { judge, type KnownAssignment, toKnownAssignment } from './known-assignment.ts';

export interface KnownUsersDeps {
  cache: AssignmentCache;
  /** True when other processes share the cache, so that it can arbitrate between them. */
  isCacheShared: boolean;
  ids: AssignmentIdCodec;
  counts: Pick<AssignmentCounts, 'claims'>;
  entriesMax: number;
  nowMs(): number;
  findExperiment(companyId: string, experimentId: string): ExperimentSnapshot | undefined;
  /** Was the user erased after an assignment of then? */
  isErased(companyId: string, userId: string, assignedAtMs: number): boolean;
}

/** A user of an experiment. */
export interface ExperimentUser {
  readonly experiment: ExperimentSnapshot;
  readonly userId: string;
}

/** Experiment ids are unique over all companies and hold no colon. */
export const userKey = ({ experiment, userId }: ExperimentUser) => `${experiment.id}:${userId}`;

export class KnownUsers {
  readonly #deps: KnownUsersDeps;
  readonly #sticky: LRUCache<string, KnownAssignment>;

  constructor(deps: KnownUsersDeps) {
    this.#deps = deps;
    this.#sticky = new LRUCache({ max: deps.entriesMax });
  }

  /** In this process. */
  get(user: ExperimentUser): KnownAssignment | undefined {
    return this.#sticky.get(userKey(user));
  }

  /** In the shared cache. */
  async find(user: ExperimentUser): Promise<KnownAssignment | undefined> {
    return this.#read(user, await this.#deps.cache.find(cacheKey(user)));
  }

  /** In this process alone. */
  remember(user: ExperimentUser, known: KnownAssignment): void {
    if (known.expiresAtMs > this.#deps.nowMs()) this.#sticky.set(userKey(user), known);
  }

  /** In the shared cache alone. */
  share(user: ExperimentUser, known: KnownAssignment): void {
    const leftMs = known.expiresAtMs - this.#deps.nowMs();
    if (leftMs > 0) this.#deps.cache.put(cacheKey(user), toCachedValue(known), leftMs);
  }

  /** In this process, and in the shared cache. Never rejects: what stays there is not believed. */
  async forget(companyId: string, experimentIds: readonly string[], userId: string): Promise<void> {
    for (const experimentId of experimentIds) {
      this.#sticky.delete(`${experimentId}:${userId}`);
      const { cache } = this.#deps;
      const key = assignmentCacheKey(companyId, experimentId, userId);
      await findChainOfKeys(cache, key)
        .then((keys) => cache.remove(keys))
        .catch(() => undefined);
    }
  }

  /** As `forget`, of all users of these companies that `isMeant` names; in slices. */
  async forgetEach(
    companyIds: readonly string[],
    isMeant: (companyId: string, userId: string) => boolean,
  ): Promise<void> {
    let nSeen = 0;
    for (const key of [...this.#sticky.keys()]) {
      if (++nSeen % limits.erasedSliceUsersMax === 0) await setImmediate();
      const colon = key.indexOf(':');
      const [experimentId, userId] = [key.slice(0, colon), key.slice(colon + 1)];
      const companyId = companyIds.find((id) => this.#deps.findExperiment(id, experimentId) !== undefined);
      if (companyId !== undefined && isMeant(companyId, userId))
        await this.forget(companyId, [experimentId], userId);
    }
  }

  /** False when this process has given the user another one since. */
  isLatest(user: ExperimentUser, own: KnownAssignment): boolean {
    const known = this.get(user);
    return known === undefined || known === own;
  }

  /** @returns the other instance's assignment that came first; undefined when the own one holds */
  async claim(user: ExperimentUser, own: KnownAssignment): Promise<KnownAssignment | undefined> {
    const { cache, isCacheShared, nowMs, counts } = this.#deps;
    if (!isCacheShared || !cache.isConnected()) return undefined;
    const value = toCachedValue(own);
    const readServed = (held: string) => {
      const known = this.#read(user, held);
      return known && judge(known, user.experiment, nowMs()) === 'valid' ? known : undefined;
    };
    try {
      const leftMs = own.expiresAtMs - nowMs();
      const isServed = (held: string) => readServed(held) !== undefined;
      const winner = await claimInCache(cache, cacheKey(user), value, leftMs, isServed);
      const isLost = winner !== undefined && winner !== value;
      counts.claims[isLost ? 'lost' : 'won']++;
      return isLost ? readServed(winner) : undefined;
    } catch {
      counts.claims.failed++;
      return undefined; // The cache is away too; its adapter counts and logs that.
    }
  }

  /** A cache is not trusted: its value must be an id that verifies, of this very user. */
  #read({ experiment, userId }: ExperimentUser, value: string | undefined): KnownAssignment | undefined {
    if (!value) return undefined;
    const { assignmentId, standing } = parseCachedValue(value);
    const fields = this.#deps.ids.verify(assignmentId);
    if (!fields || fields.companyId !== experiment.companyId) return undefined;
    if (fields.experimentId !== experiment.id || fields.userId !== userId) return undefined;
    if (this.#deps.isErased(experiment.companyId, userId, fields.assignedAtMs)) return undefined;
    return toKnownAssignment(assignmentId, fields, experiment, standing);
  }
}

const cacheKey = ({ experiment, userId }: ExperimentUser) =>
  assignmentCacheKey(experiment.companyId, experiment.id, userId);
