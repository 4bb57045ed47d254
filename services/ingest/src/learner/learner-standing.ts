/**
 * How far the learner is behind, for metrics: what the last look at the database found, of all partitions, whoever owns
 * them. Written by the poller, read when the registry is scraped; while the database cannot be looked at, ages grow.
 */
import { limits } from '@bandit/contracts';
import { measureUnpublished, type OpenedDatabase, type UnpublishedLag } from '@bandit/db';
import type { LearnerMetrics } from './learner-metrics.ts';

export interface LearnerStandingDeps {
  readonly db: OpenedDatabase['db'];
  /** Database time. */
  readonly nowMs: () => number;
  readonly metrics?: Pick<LearnerMetrics, 'watch'> | undefined;
  readonly nPartitions: () => number;
}

export interface LearnerStanding {
  /** Notes a look at the facts that wait. */
  note(waiting: readonly { readonly oldestAtMs: number }[]): void;
  /** Notes whether anything is unpublished, and now and then how much. */
  noteUnpublished(isAny: boolean): Promise<void>;
  hasLooked(): boolean;
}

export function createLearnerStanding(deps: LearnerStandingDeps): LearnerStanding {
  const { db, nowMs, metrics, nPartitions } = deps;
  let lookedAtMs: number | undefined;
  let oldestAtMs: number | undefined;
  let unpublished: UnpublishedLag | undefined;
  let measuredAtMs = Number.NEGATIVE_INFINITY;
  const secondsSince = (atMs: number | undefined): number =>
    atMs === undefined ? 0 : Math.max(0, nowMs() - atMs) / 1_000;
  metrics?.watch(() => ({
    lagSeconds: secondsSince(oldestAtMs),
    lookAgeSeconds: secondsSince(lookedAtMs),
    unpublishedSeconds: secondsSince(unpublished?.oldestAtMs),
    unpublishedEvents: unpublished?.nEvents ?? 0,
    nPartitions: nPartitions(),
  }));
  return {
    note: (waiting) => {
      oldestAtMs = waiting.length === 0 ? undefined : Math.min(...waiting.map((one) => one.oldestAtMs));
      lookedAtMs = nowMs();
    },
    noteUnpublished: async (isAny) => {
      if (!isAny) unpublished = undefined;
      // While the stream is away each count is longer than the one before: not at every look.
      const isDue = Math.abs(nowMs() - measuredAtMs) >= limits.learnerUnpublishedLookMs;
      if (!isAny || metrics === undefined || !isDue) return;
      measuredAtMs = nowMs();
      unpublished = await measureUnpublished(db, limits.learnerUnpublishedBatchesMax);
    },
    hasLooked: () => lookedAtMs !== undefined,
  };
}
