/**
 * The learner: folds what accept and assignment stored, as soon as it is settled, and tells every process of the new
 * states; then puts the events on the EVENTS stream; and rebuilds an experiment when management asks.
 *
 * Facts, cursors and states are the database's; this holds only decoded learners, which partitions it owns, and what is
 * asked for. Woken by messages and, as none of them needs to arrive, by a poll. When an experiment's treatments change
 * nothing is done here: each assignment process prepares the policy anew from the serving state and its own live arms.
 * Modes: new, started, closed.
 */
import { type Bus, limits, type Subscription, subjects } from '@bandit/contracts';
import {
  dropAbandonedRebuilds,
  type ExperimentKey,
  listUnpublishedPartitions,
  listWaitingPartitions,
  type OpenedDatabase,
} from '@bandit/db';
import { spanAround } from '@bandit/http';
import { createFoldLanes } from './fold-lanes.ts';
import type { LearnerLog } from './learner-log.ts';
import { readRefreshRequest, readWakePartition } from './learner-messages.ts';
import type { LearnerMetrics } from './learner-metrics.ts';
import { createLearnerStanding } from './learner-standing.ts';
import { createNetworkTrainer, type NetworkTrainer } from './network-trainer.ts';
import { createPartitionLanes, type PartitionLanes } from './partition-lanes.ts';
import { ownAllPartitions, type PartitionOwner, sharePartitions } from './partition-owner.ts';
import { publishEvents } from './publish-events.ts';
import { createSharedRebuilds, type SharedRebuilds } from './shared-rebuilds.ts';

export interface LearnerDeps {
  /** Role bandit_learner. */
  readonly db: OpenedDatabase['db'];
  readonly bus: Bus;
  /** Database time. */
  readonly nowMs: () => number;
  readonly log: LearnerLog;
  /** True when other processes may learn from the same database; needs one connection for itself, two while rebuilding. */
  readonly isShared: boolean;
  /** Chance: seeds of training rounds, names of rebuilds. */
  readonly randomBytes: (n: number) => Uint8Array;
  readonly metrics?: LearnerMetrics;
  /** Default: limits.learnerPollMs. */
  readonly pollMs?: number;
}

export interface LearnerRuntime {
  /** Rejects when the bus cannot be subscribed to; the database may be away, and is then waited for. */
  start(): Promise<void>;
  /** Ends the folds under way, gives the partitions up. */
  close(): Promise<void>;
  /** True once the database was looked at for facts. */
  isReady(): boolean;
  /** Rebuilds from history, an experiment once at a time over all learners; calls here meanwhile share the run. */
  refresh(key: ExperimentKey): Promise<{ version: number }>;
}

export function createLearnerRuntime(deps: LearnerDeps): LearnerRuntime {
  const parts = createParts(deps);
  const { rebuilds, folding, publishing, trainer } = parts;
  const poller = createPoller(deps, parts);
  let subscriptions: readonly Subscription[] = [];
  let timer: NodeJS.Timeout | undefined;
  return {
    start: async () => {
      subscriptions = await subscribe(deps.bus, parts);
      parts.owner = deps.isShared
        ? sharePartitions({ db: deps.db, pollMs: parts.pollMs, log: deps.log, onChange: poller.poll })
        : ownAllPartitions();
      void dropAbandonedRebuilds(deps.db).catch((error: unknown) =>
        deps.log.warn({ err: error }, 'dropping abandoned rebuilds failed'),
      );
      poller.poll();
      timer = setInterval(poller.poll, parts.pollMs);
    },
    close: async () => {
      clearInterval(timer);
      await Promise.all(subscriptions.map((subscription) => subscription.close()));
      // Together: a fold may wait for a rebuild.
      const closing = [folding, publishing, trainer, rebuilds];
      await Promise.all([...closing.map((part) => part.close()), poller.settle()]);
      await parts.owner?.close();
    },
    isReady: poller.hasLooked,
    refresh: async (key) => {
      const { version } = await rebuilds.run(key);
      return { version };
    },
  };
}

interface Parts {
  readonly pollMs: number;
  readonly rebuilds: SharedRebuilds;
  readonly trainer: NetworkTrainer;
  readonly folding: PartitionLanes;
  readonly publishing: PartitionLanes;
  readonly owns: (partition: number) => boolean;
  /** Set by `start`. */
  owner: PartitionOwner | undefined;
}

function createParts(deps: LearnerDeps): Parts {
  const { db, bus, log, nowMs, isShared, metrics, randomBytes } = deps;
  const pollMs = deps.pollMs ?? limits.learnerPollMs;
  const owns = (partition: number) => parts.owner?.owns(partition) ?? false;
  const rebuilds = createSharedRebuilds({ db, bus, isShared, randomBytes, metrics });
  const trainer = createNetworkTrainer({
    makeSeed: () => Buffer.from(randomBytes(4)).readUInt32LE(0) >>> 1,
    log,
    metrics,
    onTrained: (partition) => parts.folding.kick(partition),
  });
  const publishing = createPartitionLanes({
    inFlightMax: 1,
    mayRun: owns,
    work: async (partition) => {
      const isMore = bus.isConnected() && (await publishEvents(db, bus, partition));
      return { again: isMore ? 'now' : 'never' };
    },
    onError: (error, partition) => log.warn({ err: error, partition }, 'publishing events failed'),
  });
  const folding = createFoldLanes({ db, bus, nowMs, log, metrics, pollMs, owns, trainer, rebuilds });
  const parts: Parts = { pollMs, rebuilds, trainer, folding, publishing, owns, owner: undefined };
  return parts;
}

async function subscribe(bus: Bus, { owns, folding, rebuilds }: Parts): Promise<Subscription[]> {
  const wake = (_subject: string, payload: Uint8Array) => {
    const partition = readWakePartition(payload);
    if (partition !== undefined && owns(partition)) folding.kick(partition);
  };
  const refresh = async (payload: Uint8Array) => {
    const key = readRefreshRequest(payload);
    const { version } = await spanAround('learner refresh', () => rebuilds.run(key), 'server');
    return Buffer.from(JSON.stringify({ version }));
  };
  return [await bus.subscribe(subjects.wakeAll, wake), await bus.respond(subjects.refresh, refresh)];
}

/** Looks for work that no message told of; one look at a time. */
function createPoller(deps: LearnerDeps, parts: Parts) {
  let running: Promise<void> | undefined;
  const nPartitions = () => parts.owner?.owned().length ?? 0;
  const standing = createLearnerStanding({ ...deps, nPartitions });
  const look = async (): Promise<void> => {
    const waiting = await listWaitingPartitions(deps.db);
    standing.note(waiting);
    parts.trainer.keepOnly(parts.owns);
    for (const { partition } of waiting) if (parts.owns(partition)) parts.folding.kick(partition);
    const unpublished = await listUnpublishedPartitions(deps.db);
    await standing.noteUnpublished(unpublished.length > 0);
    if (!deps.bus.isConnected()) return;
    for (const partition of unpublished) if (parts.owns(partition)) parts.publishing.kick(partition);
  };
  return {
    poll: (): void => {
      running ??= look()
        .catch((error: unknown) => deps.log.warn({ err: error }, 'looking for facts failed'))
        .finally(() => {
          running = undefined;
        });
    },
    settle: async (): Promise<void> => running,
    hasLooked: standing.hasLooked,
  };
}
