/**
 * Accepting events: identity first, then the facts, in one group commit over all requests that wait.
 *
 * Holds only the queue of the group commit. A crash loses what waits, of which nobody was told that it is stored; a
 * commit with an unknown outcome is run again with the same event ids, by which the database tells it from a
 * duplicate. Modes: open, then closing (refuses, drains); `close` alone changes them.
 */
import { ApiError, type Bus, limits, subjects, type TrackEvent } from '@bandit/contracts';
import {
  type AcceptItem,
  type AcceptVerdict,
  acceptEvents,
  createGroupCommit,
  type OpenedDatabase,
  type Triplet,
} from '@bandit/db';
import { spanAround } from '@bandit/http';
import type { LateAssignments } from '@bandit/process';
import { type AcceptPassDeps, type AcceptResult, acceptInPasses } from './accept-in-passes.ts';
import type { AcceptMetrics, EventOutcome } from './accept-metrics.ts';
import { commitInRounds } from './commit-in-rounds.ts';
import { commitWithRetries } from './commit-with-retries.ts';
import { resolveTriplets } from './resolve-triplets.ts';

export interface AcceptDeps extends Omit<AcceptPassDeps, 'resolve' | 'submit'> {
  /** Role bandit_accept. */
  readonly db: OpenedDatabase['db'];
  readonly bus: Pick<Bus, 'publish'>;
  readonly metrics?: AcceptMetrics;
  /** Of triplets that seem to mean no assignment: before one is made for them. Left out: the database is always first. */
  readonly lateAssignments?: LateAssignments | undefined;
}

export interface AcceptRuntime {
  /**
   * Accepts events that passed the schema, each by itself; an earlier item of the array wins over a later one.
   *
   * @returns shape of `events`; resolved only when every created event is committed. Never rejects.
   */
  accept(companyId: string, events: readonly TrackEvent[]): Promise<AcceptResult[]>;
  /** Rows waiting for a commit. */
  depth(): number;
  /** Refuses new events and drains. */
  close(): Promise<void>;
}

export function createAcceptRuntime(deps: AcceptDeps): AcceptRuntime {
  const groupCommit = createGroupCommit<AcceptItem, AcceptVerdict>({
    rowsMax: limits.groupCommitRowsMax,
    queueMax: limits.groupCommitQueueMax,
    inFlightMax: limits.groupCommitInFlightMax,
    commit: (items) => {
      const end = deps.metrics?.startCommit();
      return commitGroup(deps, items).finally(end);
    },
    onCommit: ({ nRows, error }) => deps.metrics?.observeCommit(nRows, error !== undefined),
  });
  deps.metrics?.watchQueue(() => groupCommit.depth());
  const submit = (items: readonly AcceptItem[]) =>
    commitInRounds<PromiseSettledResult<AcceptVerdict>>(
      items,
      (leaders) => spanAround('events commit', () => groupCommit.submitMany(leaders)),
      (result) => (result.status === 'fulfilled' ? result.value : undefined),
      (winner) => ({ status: 'fulfilled', value: { ...winner, isWon: false } }),
    );
  const passDeps: AcceptPassDeps = {
    ...deps,
    submit,
    resolve: async (companyId, triplets) => {
      const found = await resolveNow(deps, companyId, triplets);
      if (deps.lateAssignments === undefined || !found.includes(undefined)) return found;
      await deps.lateAssignments.assertNone();
      // It may have been brought in between the two looks.
      return resolveNow(deps, companyId, triplets);
    },
  };
  const running = new Set<Promise<AcceptResult[]>>();
  let isClosing = false;
  return {
    accept: async (companyId, events) => {
      if (isClosing) return events.map(() => ({ error: shuttingDown() }));
      const accepting = acceptInPasses(passDeps, companyId, events);
      running.add(accepting);
      const results = await accepting.finally(() => running.delete(accepting));
      results.forEach((result, index) => {
        deps.metrics?.countEvent(events[index]!.eventType, outcomeOf(result));
      });
      return results;
    },
    depth: () => groupCommit.depth(),
    close: async () => {
      isClosing = true;
      await Promise.allSettled(running);
      await groupCommit.close();
    },
  };
}

function resolveNow(
  { db, nowMs, retentionMs }: AcceptDeps,
  companyId: string,
  triplets: readonly Triplet[],
): ReturnType<typeof resolveTriplets> {
  return resolveTriplets(db, companyId, triplets, retentionMs && nowMs() - retentionMs);
}

const shuttingDown = () => new ApiError('SHUTTING_DOWN', 'this process is shutting down: try another');

async function commitGroup(deps: AcceptDeps, items: readonly AcceptItem[]): Promise<AcceptVerdict[]> {
  const verdicts = await commitInRounds<AcceptVerdict>(
    items,
    (leaders) => commitWithRetries(() => acceptEvents(deps.db, leaders), deps.nowMs),
    (verdict) => verdict,
    (winner) => ({ ...winner, isWon: false }),
  );
  wakeLearner(deps.bus, items);
  return verdicts;
}

function wakeLearner(bus: Pick<Bus, 'publish'>, items: readonly AcceptItem[]): void {
  for (const partition of new Set(items.map((item) => item.partition)))
    bus.publish(subjects.wake(partition), Buffer.from(JSON.stringify({ partition })));
}

function outcomeOf(result: AcceptResult): EventOutcome {
  if ('event' in result) return 'created';
  if (!(result.error instanceof ApiError) || result.error.statusCode >= 500) return 'failed';
  return result.error.code === 'DUPLICATE_EVENT' ? 'duplicate' : 'refused';
}
