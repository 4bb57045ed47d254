/**
 * The learner: folds what accept and assignment stored, as soon as it is settled, and tells every process of the new
 * states; then puts the events on the EVENTS stream; and rebuilds an experiment when management asks.
 *
 * Facts, cursors and states are the database's; this holds only decoded learners, which partitions it owns, and what is
 * asked for. Woken by messages and, as none of them needs to arrive, by a poll. When an experiment's treatments change
 * nothing is done here: each assignment process prepares the policy anew from the serving state and its own live arms.
 * Modes: new, started, closed.
 */
import { setImmediate } from 'node:timers/promises';
import { type Bus, limits, type Subscription, subjects } from '@bandit/contracts';
import {
  dropAbandonedRebuilds,
  type ExperimentKey,
  listUnpublishedPartitions,
  listWaitingPartitions,
  type NewState,
  type OpenedDatabase,
  PartitionMovedError,
} from '@bandit/db';
import { createPartitionFolder, type FoldReport, StateUnreadableError } from './fold-partition.ts';
import { createLearnerCache } from './learner-cache.ts';
import type { LearnerLog } from './learner-log.ts';
import { readRefreshRequest, readWakePartition } from './learner-messages.ts';
import type { LearnerMetrics } from './learner-metrics.ts';
import { createNetworkTrainer, type NetworkTrainer } from './network-trainer.ts';
import { createPartitionLanes, type LaneResult, type PartitionLanes } from './partition-lanes.ts';
import { ownAllPartitions, type PartitionOwner, sharePartitions } from './partition-owner.ts';
import { broadcastState, publishEvents } from './publish-events.ts';
import { rebuildExperiment } from './rebuild-experiment.ts';

export interface LearnerDeps {
  /** Role bandit_learner. */
  readonly db: OpenedDatabase['db'];
  readonly bus: Bus;
  /** Database time. */
  readonly nowMs: () => number;
  readonly log: LearnerLog;
  /** True when other processes may learn from the same database; needs one connection for itself. */
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
  /** True once partitions are owned, or every one is owned elsewhere. */
  isReady(): boolean;
  /** Rebuilds from history; calls for one experiment at a time share one run. */
  refresh(key: ExperimentKey): Promise<{ version: number }>;
}

export function createLearnerRuntime(deps: LearnerDeps): LearnerRuntime {
  const { db, bus, log, metrics } = deps;
  const pollMs = deps.pollMs ?? limits.learnerPollMs;
  const subscriptions: Subscription[] = [];
  const rebuilds = new Map<string, Promise<NewState>>();
  const notBeforeMs = new Map<number, number>();
  const settleMs = new Map<number, number>();
  let owner: PartitionOwner | undefined;
  let timer: NodeJS.Timeout | undefined;
  let polling: Promise<void> | undefined;
  let isPolled = false;

  const owns = (partition: number) => owner?.owns(partition) ?? false;
  const trainer: NetworkTrainer = createNetworkTrainer({
    makeSeed: () => Buffer.from(deps.randomBytes(4)).readUInt32LE(0) >>> 1,
    log,
    onTrained: (partition) => folding.kick(partition),
  });
  const fold = createPartitionFolder({
    db,
    cache: createLearnerCache(),
    pause: () => setImmediate(),
    findSwaps: trainer.findSwaps,
  });
  const folding: PartitionLanes = createPartitionLanes({
    inFlightMax: limits.learnerFoldsInFlightMax,
    mayRun: owns,
    work: foldOnce,
    onError: (error, partition, nFailures) => {
      metrics?.countFailure();
      if (error instanceof PartitionMovedError && nFailures === 1) return;
      log.warn({ err: error, partition, nFailures }, 'a fold failed and will be tried again');
    },
  });
  const publishing: PartitionLanes = createPartitionLanes({
    inFlightMax: 1,
    mayRun: owns,
    work: async (partition) =>
      bus.isConnected() && (await publishEvents(db, bus, partition)) ? { again: 'now' } : { again: 'never' },
    onError: (error, partition) => log.warn({ err: error, partition }, 'publishing events failed'),
  });

  async function foldOnce(partition: number): Promise<LaneResult> {
    const waitMs = (notBeforeMs.get(partition) ?? 0) - deps.nowMs();
    // Capped, should the clock be set back.
    if (waitMs > 0) return { again: 'later', ms: Math.min(waitMs, limits.learnerStateIntervalMs) };
    const startMs = deps.nowMs();
    const report = await fold(partition).catch(healUnreadable);
    if (report === 'healed') return { again: 'now' };
    if (report === undefined || report === 'unsettled') return waitForSettling(partition, report);
    settleMs.delete(partition);
    afterFold(report, startMs);
    return { again: 'now' };
  }

  function waitForSettling(partition: number, found: 'unsettled' | undefined): LaneResult {
    if (found === undefined) {
      settleMs.delete(partition);
      return { again: 'never' };
    }
    const ms = settleMs.get(partition) ?? limits.learnerSettleDelayMs;
    settleMs.set(partition, Math.min(2 * ms, pollMs));
    return { again: 'later', ms };
  }

  async function healUnreadable(error: unknown): Promise<'healed'> {
    if (!(error instanceof StateUnreadableError)) throw error;
    const { experimentId } = error.key;
    log.warn({ err: error, experimentId }, 'the stored state cannot be read: rebuilding it from history');
    await rebuildShared(error.key);
    return 'healed';
  }

  function afterFold(report: FoldReport, startMs: number): void {
    const { range, states, swaps, learned, exceptions, isRecorded } = report;
    const endMs = deps.nowMs();
    if (isRecorded) notBeforeMs.set(range.partition, startMs + limits.learnerStateIntervalMs);
    for (const state of states) broadcastState(bus, state);
    trainer.forget(swaps);
    for (const { experiment, learner } of learned) trainer.consider(range.partition, experiment, learner);
    metrics?.observeFold(range.nFacts, (endMs - startMs) / 1_000);
    for (const [reason, ofReason] of Map.groupBy(exceptions, (exception) => exception.reason)) {
      metrics?.countExceptions(reason, ofReason.length);
      log.warn({ partition: range.partition, reason, n: ofReason.length }, 'facts were not learned');
    }
  }

  function rebuildShared(key: ExperimentKey): Promise<NewState> {
    const name = `${key.companyId}/${key.experimentId}`;
    const running = rebuilds.get(name);
    if (running !== undefined) return running;
    const makeToken = () => Buffer.from(deps.randomBytes(16)).toString('hex');
    const started = rebuildExperiment({ db, pause: () => setImmediate(), makeToken }, key)
      .then((state) => {
        broadcastState(bus, state);
        return state;
      })
      .finally(() => rebuilds.delete(name));
    rebuilds.set(name, started);
    return started;
  }

  async function poll(): Promise<void> {
    const waiting = await listWaitingPartitions(db);
    const oldestMs = Math.min(...waiting.map((one) => one.oldestAtMs), deps.nowMs());
    metrics?.setLag(Math.max(0, deps.nowMs() - oldestMs) / 1_000);
    metrics?.setPartitions(owner?.owned().length ?? 0);
    trainer.keepOnly(owns);
    for (const { partition } of waiting) if (owns(partition)) folding.kick(partition);
    if (bus.isConnected())
      for (const partition of await listUnpublishedPartitions(db))
        if (owns(partition)) publishing.kick(partition);
    isPolled = true;
  }

  function pollAgain(): void {
    if (polling !== undefined) return;
    polling = poll()
      .catch((error: unknown) => log.warn({ err: error }, 'looking for facts failed'))
      .finally(() => {
        polling = undefined;
      });
  }

  async function subscribe(): Promise<void> {
    const wake = (_subject: string, payload: Uint8Array) => {
      const partition = readWakePartition(payload);
      if (partition !== undefined && owns(partition)) folding.kick(partition);
    };
    subscriptions.push(await bus.subscribe(subjects.wakeAll, wake));
    const refresh = async (payload: Uint8Array) => {
      const { version } = await rebuildShared(readRefreshRequest(payload));
      return Buffer.from(JSON.stringify({ version }));
    };
    subscriptions.push(await bus.respond(subjects.refresh, refresh));
  }

  return {
    start: async () => {
      await subscribe();
      owner = deps.isShared ? sharePartitions({ db, pollMs, log, onChange: pollAgain }) : ownAllPartitions();
      void dropAbandonedRebuilds(db).catch((error: unknown) =>
        log.warn({ err: error }, 'dropping abandoned rebuilds failed'),
      );
      pollAgain();
      timer = setInterval(pollAgain, pollMs);
    },
    close: async () => {
      clearInterval(timer);
      await Promise.all(subscriptions.map((subscription) => subscription.close()));
      await Promise.all([folding.close(), publishing.close(), polling, trainer.close()]);
      await Promise.allSettled(rebuilds.values());
      await owner?.close();
    },
    isReady: () => isPolled,
    refresh: async (key) => {
      const { version } = await rebuildShared(key);
      return { version };
    },
  };
}
