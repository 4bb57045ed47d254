/**
 * When partitions are folded: as soon as they are asked for, contextual ones at most every `learnerStateIntervalMs` (what
 * comes meanwhile is coalesced into the next fold), and again shortly where older transactions keep facts back. After
 * each fold its states are broadcast and training is considered; a state that cannot be read is rebuilt from history.
 */
import { setImmediate } from 'node:timers/promises';
import { type Bus, limits } from '@bandit/contracts';
import { type OpenedDatabase, PartitionMovedError } from '@bandit/db';
import { createPartitionFolder, type FoldReport, StateUnreadableError } from './fold-partition.ts';
import { createLearnerCache } from './learner-cache.ts';
import type { LearnerLog } from './learner-log.ts';
import type { LearnerMetrics } from './learner-metrics.ts';
import type { NetworkTrainer } from './network-trainer.ts';
import { createPartitionLanes, type LaneResult, type PartitionLanes } from './partition-lanes.ts';
import { broadcastState } from './publish-events.ts';
import type { SharedRebuilds } from './shared-rebuilds.ts';

export interface FoldLanesOptions {
  readonly db: OpenedDatabase['db'];
  readonly bus: Pick<Bus, 'publish'>;
  /** Database time. */
  readonly nowMs: () => number;
  readonly log: LearnerLog;
  readonly metrics: LearnerMetrics | undefined;
  readonly pollMs: number;
  readonly owns: (partition: number) => boolean;
  readonly trainer: Pick<NetworkTrainer, 'findSwaps' | 'forget' | 'consider'>;
  readonly rebuilds: Pick<SharedRebuilds, 'run'>;
}

export function createFoldLanes(options: FoldLanesOptions): PartitionLanes {
  const { db, nowMs, log, metrics, trainer } = options;
  const cache = createLearnerCache();
  const pause = () => setImmediate();
  const fold = createPartitionFolder({ db, cache, pause, findSwaps: trainer.findSwaps });
  const notBeforeMs = new Map<number, number>();
  const settleMs = new Map<number, number>();

  const foldOnce = async (partition: number): Promise<LaneResult> => {
    const startMs = nowMs();
    const waitMs = (notBeforeMs.get(partition) ?? 0) - startMs;
    // Capped, should the clock be set back.
    if (waitMs > 0) return { again: 'later', ms: Math.min(waitMs, limits.learnerStateIntervalMs) };
    const report = await fold(partition);
    if (report === 'unsettled') return waitForSettling(settleMs, partition, options.pollMs);
    settleMs.delete(partition);
    if (report === undefined) return { again: 'never' };
    if (report.isRecorded) notBeforeMs.set(partition, startMs + limits.learnerStateIntervalMs);
    tellOfFold(options, report);
    metrics?.observeFold(report.range.nFacts, (nowMs() - startMs) / 1_000);
    return { again: 'now' };
  };
  return createPartitionLanes({
    inFlightMax: limits.learnerFoldsInFlightMax,
    mayRun: options.owns,
    work: (partition) => foldOnce(partition).catch((error: unknown) => healUnreadable(options, error)),
    onError: (error, partition, nFailures) => {
      metrics?.countFailure();
      // Lost once to another learner: the next look finds where it stands.
      if (error instanceof PartitionMovedError && nFailures === 1) return;
      log.warn({ err: error, partition, nFailures }, 'a fold failed and will be tried again');
    },
  });
}

function waitForSettling(settleMs: Map<number, number>, partition: number, msMax: number): LaneResult {
  const ms = settleMs.get(partition) ?? limits.learnerSettleDelayMs;
  settleMs.set(partition, Math.min(2 * ms, msMax));
  return { again: 'later', ms };
}

async function healUnreadable({ log, rebuilds }: FoldLanesOptions, error: unknown): Promise<LaneResult> {
  if (!(error instanceof StateUnreadableError)) throw error;
  const { experimentId } = error.key;
  log.warn({ err: error, experimentId }, 'the stored state cannot be read: rebuilding it from history');
  await rebuilds.run(error.key);
  return { again: 'now' };
}

/** After the commit, never before. */
function tellOfFold({ bus, trainer, metrics, log }: FoldLanesOptions, report: FoldReport): void {
  const { range, states, swaps, learned, exceptions } = report;
  for (const state of states) broadcastState(bus, state);
  trainer.forget(swaps);
  for (const { experiment, learner } of learned) trainer.consider(range.partition, experiment, learner);
  for (const [reason, ofReason] of Map.groupBy(exceptions, (exception) => exception.reason)) {
    metrics?.countExceptions(reason, ofReason.length);
    // Late and archived facts are the rule's doing; a poison one is for someone to look at.
    const level = reason === 'poison' ? 'error' : 'info';
    log[level]({ partition: range.partition, reason, n: ofReason.length }, 'facts were not learned');
  }
}
