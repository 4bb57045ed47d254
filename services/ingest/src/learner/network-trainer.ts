/**
 * Neural training beside learning: when a learner says that a round pays, its job goes to the worker thread, and the
 * trained network waits here until a fold of its partition takes it in and records it.
 *
 * Holds the jobs that wait (bounded: what does not fit is asked for again after the next fold), the one that runs, and
 * the networks that are ready. The runtime alone writes it. Losing any of it costs a training round: nothing is recorded
 * before the fold commits. The worker starts with the first job.
 */
import { Worker } from 'node:worker_threads';
import { limits } from '@bandit/contracts';
import type { Learner, TrainingJob } from '@bandit/core';
import type { ExperimentKey, NewSwap } from '@bandit/db';
import type { LearnerLog } from './learner-log.ts';
import type { EndWork, LearnerMetrics } from './learner-metrics.ts';

export interface NetworkTrainer {
  /** Queues a training round if one is due and none is under way. */
  consider(partition: number, key: ExperimentKey, learner: Learner): void;
  /** Networks that wait for a fold of the partition. */
  findSwaps(partition: number): readonly NewSwap[];
  /** These were committed. */
  forget(swaps: readonly NewSwap[]): void;
  /** Drops what is there of partitions that are not learned here any more. */
  keepOnly(owns: (partition: number) => boolean): void;
  close(): Promise<void>;
}

export interface TrainerOptions {
  /** An integer from 0 to 2^31 - 1, recorded with the swap. */
  readonly makeSeed: () => number;
  readonly log: LearnerLog;
  readonly onTrained: (partition: number) => void;
  readonly metrics?: Pick<LearnerMetrics, 'startTraining'> | undefined;
}

interface Round {
  readonly partition: number;
  readonly key: ExperimentKey;
  readonly job: TrainingJob;
}

export function createNetworkTrainer(options: TrainerOptions): NetworkTrainer {
  const underWay = new Set<string>();
  const ready = new Map<string, { partition: number; swap: NewSwap }>();
  const queue: Round[] = [];
  let worker: Worker | undefined;
  let isBusy = false;
  let isClosed = false;

  const finish = (round: Round, network: Uint8Array) => {
    const { seed, nSteps } = round.job;
    const swap = { ...round.key, network, seed, nSteps };
    ready.set(nameOf(round.key), { partition: round.partition, swap });
    options.onTrained(round.partition);
  };
  const next = () => {
    const round = isBusy || isClosed ? undefined : queue.shift();
    if (round === undefined) return;
    isBusy = true;
    worker ??= new Worker(new URL('./train-worker.ts', import.meta.url));
    trainOnce(worker, round.job, options.metrics?.startTraining())
      .then((network) => finish(round, network))
      .catch((error: unknown) => {
        if (!isClosed)
          options.log.warn({ err: error, experimentId: round.key.experimentId }, 'training failed');
        void worker?.terminate();
        worker = undefined;
      })
      .finally(() => {
        underWay.delete(nameOf(round.key));
        isBusy = false;
        next();
      });
  };
  return {
    consider: (partition, { companyId, experimentId }, learner) => {
      const key = { companyId, experimentId };
      const isKnown = underWay.has(nameOf(key)) || ready.has(nameOf(key));
      if (isKnown || isClosed || learner.training?.isDue() !== true) return;
      if (queue.length >= limits.learnerTrainingQueueMax) return;
      underWay.add(nameOf(key));
      queue.push({ partition, key, job: learner.training.job(options.makeSeed()) });
      next();
    },
    findSwaps: (partition) =>
      [...ready.values()].flatMap((one) => (one.partition === partition ? [one.swap] : [])),
    forget: (swaps) => {
      for (const swap of swaps) ready.delete(nameOf(swap));
    },
    keepOnly: (owns) => {
      for (const [name, { partition }] of ready) if (!owns(partition)) ready.delete(name);
    },
    close: async () => {
      isClosed = true;
      await worker?.terminate();
    },
  };
}

async function trainOnce(worker: Worker, job: TrainingJob, end: EndWork | undefined): Promise<Uint8Array> {
  let isFailed = true;
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const onExit = (code: number) => reject(new Error(`the training worker ended with ${code}`));
  const timer = setTimeout(
    () => reject(new Error(`training took longer than ${limits.trainingTimeoutMs} ms`)),
    limits.trainingTimeoutMs,
  );
  worker.once('message', resolve).once('error', reject).once('exit', onExit);
  try {
    worker.postMessage(job);
    const network = await promise;
    isFailed = false;
    return network;
  } finally {
    end?.(isFailed);
    clearTimeout(timer);
    worker.off('message', resolve).off('error', reject).off('exit', onExit);
  }
}

function nameOf(key: ExperimentKey): string {
  return `${key.companyId}/${key.experimentId}`;
}
