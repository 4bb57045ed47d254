import { limits } from '@bandit/contracts';
import { createLearner, decodeLearner, type Learner } from '@bandit/core';
import {
  commitFold,
  type ExperimentKey,
  type FactRow,
  type FoldRange,
  findLearnerExperiments,
  findLearnerStates,
  findOutcomes,
  type LearnerExperiment,
  type NewException,
  type NewState,
  type NewSwap,
  type OpenedDatabase,
  type Outcome,
  readFacts,
  readFoldRange,
} from '@bandit/db';
import { createDayChanges } from './day-changes.ts';
import { type ExperimentChange, foldExperiment, type LearningSpec, learningSpec } from './fold-experiment.ts';
import type { LearnerCache } from './learner-cache.ts';

export interface FoldDeps {
  /** Role bandit_learner. */
  readonly db: OpenedDatabase['db'];
  readonly cache: LearnerCache;
  /** Lets the event loop run; between slices and experiments. */
  readonly pause: () => Promise<void>;
  /** Trained networks that wait for this partition. */
  readonly findSwaps?: (partition: number) => readonly NewSwap[];
}

export interface FoldReport {
  readonly range: FoldRange;
  readonly states: readonly NewState[];
  readonly exceptions: readonly NewException[];
  readonly swaps: readonly NewSwap[];
  /** True when a contextual experiment was among them. */
  readonly isRecorded: boolean;
  /** Learners that changed, with what they learn by. */
  readonly learned: readonly LearnedExperiment[];
}

export interface LearnedExperiment {
  readonly experiment: LearnerExperiment;
  readonly learner: Learner;
}

/** A stored state that cannot be read with the experiment's configuration: its history must be replayed. */
export class StateUnreadableError extends Error {
  readonly key: ExperimentKey;

  constructor(key: ExperimentKey, cause: unknown) {
    super(`the stored state of experiment ${key.experimentId} cannot be read`, { cause });
    this.name = 'StateUnreadableError';
    this.key = key;
  }
}

/** Where this process last saw a partition; anything else means that another process moved it. */
interface Standing {
  readonly cursorBatch: number;
  readonly foldSeq: number;
}

/**
 * Folds of partitions: reads the next settled batches, learns them in memory, then writes state, counters and cursor in
 * one short transaction that goes through only if nobody moved the partition meanwhile. No lock is held while learning.
 *
 * @returns a function that folds the next chunk of one partition; undefined when there was nothing to do,
 *   'unsettled' when older transactions keep the next facts back. When it
 *   throws, nothing was written, and the next call starts from what the database holds. One call a partition at a time.
 */
export function createPartitionFolder(
  deps: FoldDeps,
): (partition: number) => Promise<FoldReport | 'unsettled' | undefined> {
  const standings = new Map<number, Standing>();
  return async (partition) => {
    const range = await readFoldRange(deps.db, partition, limits.learnerChunkFactsMax);
    const standing = standings.get(partition);
    if (standing?.cursorBatch !== range.cursorBatch || standing.foldSeq !== range.foldSeq)
      deps.cache.dropPartition(partition);
    const swaps = deps.findSwaps?.(partition) ?? [];
    if (range.nFacts === 0 && swaps.length === 0) return range.hasUnsettled ? 'unsettled' : undefined;
    try {
      const report = await foldRange(deps, range, swaps);
      standings.set(partition, { cursorBatch: range.throughBatch, foldSeq: range.foldSeq + 1 });
      return report;
    } catch (error) {
      standings.delete(partition);
      deps.cache.dropPartition(partition);
      throw error;
    }
  };
}

async function foldRange(deps: FoldDeps, range: FoldRange, swaps: readonly NewSwap[]): Promise<FoldReport> {
  const { partition, cursorBatch: afterBatch, throughBatch } = range;
  const rows = range.nFacts === 0 ? [] : await readFacts(deps.db, { partition, afterBatch, throughBatch });
  const rowsOf = Map.groupBy(rows, (row) => nameOf(row));
  const keys = [...new Map([...rows, ...swaps].map((one) => [nameOf(one), one])).values()];
  const experiments = await findLearnerExperiments(deps.db, keys);
  const held = await findHeldLearners(deps, partition, experiments);
  const outcomes = await findOutcomesOf(deps.db, rows);

  const folded: FoldedExperiment[] = [];
  for (const experiment of experiments) {
    const name = nameOf(experiment);
    folded.push(
      await foldOne(deps, {
        experiment,
        rows: rowsOf.get(name) ?? [],
        swap: swaps.find((swap) => nameOf(swap) === name),
        held: held.get(name)!,
        outcomes: outcomes.get(name) ?? new Map(),
        throughBatch,
      }),
    );
  }
  const taught = folded.filter((one) => one.state !== undefined);
  const report: FoldReport = {
    range,
    states: taught.map((one) => one.state!),
    exceptions: folded.flatMap((one) => one.change.exceptions),
    swaps,
    isRecorded: taught.some((one) => one.spec.isContextual),
    learned: taught.map(({ experiment, learner }) => ({ experiment, learner })),
  };
  await commitFold(deps.db, {
    ...report,
    days: folded.flatMap((one) => one.days),
    outcomes: folded.flatMap((one) => one.outcomes),
  });
  for (const { experiment, learner, state } of taught)
    deps.cache.put(partition, experiment, {
      learner,
      version: state!.version,
      nBytes: state!.state.byteLength,
    });
  return report;
}

interface HeldLearner {
  readonly learner: Learner;
  readonly version: number;
}

async function findHeldLearners(
  deps: FoldDeps,
  partition: number,
  experiments: readonly LearnerExperiment[],
): Promise<Map<string, HeldLearner>> {
  const missing = experiments.filter((experiment) => deps.cache.find(partition, experiment) === undefined);
  const stored = new Map((await findLearnerStates(deps.db, missing)).map((state) => [nameOf(state), state]));
  return new Map(
    experiments.map((experiment) => {
      const name = nameOf(experiment);
      const cached = deps.cache.find(partition, experiment);
      const state = stored.get(name);
      if (cached !== undefined) return [name, cached];
      if (state === undefined)
        return [name, { learner: createLearner(learningSpec(experiment)), version: 0 }];
      return [name, { learner: readLearner(experiment, state.state), version: state.version }];
    }),
  );
}

function readLearner(experiment: LearnerExperiment, state: Uint8Array): Learner {
  try {
    return decodeLearner(learningSpec(experiment), state);
  } catch (error) {
    throw new StateUnreadableError(experiment, error);
  }
}

/** Outcomes of all assignments that `rows` reward, by experiment and nonce. */
async function findOutcomesOf(
  db: FoldDeps['db'],
  rows: readonly FactRow[],
): Promise<Map<string, Map<string, Outcome>>> {
  const rewarded = rows.filter((row) => row.kind === 'reward');
  const keys = [...new Map(rewarded.map((row) => [`${row.companyId}/${row.nonce}`, row])).values()];
  const found = await findOutcomes(db, { kind: 'live' }, keys);
  const byExperiment = Map.groupBy(found, (outcome) => nameOf(outcome));
  return new Map(
    [...byExperiment].map(([name, outcomes]) => [
      name,
      new Map(outcomes.map((outcome) => [outcome.nonce, outcome])),
    ]),
  );
}

interface FoldOne {
  readonly experiment: LearnerExperiment;
  readonly rows: readonly FactRow[];
  readonly swap: NewSwap | undefined;
  readonly held: HeldLearner;
  readonly outcomes: Map<string, Outcome>;
  readonly throughBatch: number;
}

interface FoldedExperiment {
  readonly experiment: LearnerExperiment;
  readonly spec: LearningSpec;
  readonly learner: Learner;
  readonly change: ExperimentChange;
  readonly days: ReturnType<ReturnType<typeof createDayChanges>['list']>;
  readonly outcomes: readonly Outcome[];
  /** undefined when nothing was learned. */
  readonly state: NewState | undefined;
}

async function foldOne(deps: FoldDeps, one: FoldOne): Promise<FoldedExperiment> {
  const { experiment, rows, held, outcomes, throughBatch, swap } = one;
  const { learner, version } = held;
  const spec = learningSpec(experiment);
  const days = createDayChanges(spec.model);
  if (swap !== undefined) await takeSwap(learner, swap.network, deps.pause);
  const isArchived = experiment.status === 'archived';
  const change = await foldExperiment({ spec, isArchived, learner, rows, outcomes, days }, deps.pause);
  await deps.pause();
  const isTaught = change.nTaught > 0 || swap !== undefined;
  const state = isTaught
    ? encodeState(experiment, learner, version + 1, throughBatch, change.nTrials)
    : undefined;
  const changed = [...change.changed].map((nonce) => outcomes.get(nonce)!);
  return { experiment, spec, learner, change, days: days.list(), outcomes: changed, state };
}

// At 255 context columns 16 rows take 3 ms of processor time, 64 took 5 to 11.
const swapSliceRows = 16;

/** Takes a trained network in, its heads refitted in slices. Only NEURAL_CONTEXTUAL has any. */
export async function takeSwap(
  learner: Learner,
  network: Uint8Array,
  pause: () => Promise<void>,
): Promise<void> {
  if (learner.training === undefined) throw new Error('this algorithm takes no trained network');
  learner.training.beginSwap(network);
  while (!learner.training.refitSlice(swapSliceRows)) await pause();
}

/** @param nTrialsSince trials folded since the last version (ALGORITHMS, rule 6) */
export function encodeState(
  experiment: LearnerExperiment,
  learner: Learner,
  version: number,
  throughBatch: number,
  nTrialsSince: number,
): NewState {
  const { companyId, experimentId, arms } = experiment;
  // A paused experiment may have no live treatment left; what it learns must be served once it has one.
  const served = arms.some((arm) => arm.isLive) ? arms : arms.map((arm) => ({ ...arm, isLive: true }));
  return {
    companyId,
    experimentId,
    version,
    throughBatch,
    nTrials: learner.nTrials,
    state: learner.encode(),
    serving: learner.encodeServing(served, Math.max(1, nTrialsSince)),
  };
}

function nameOf(key: ExperimentKey): string {
  return `${key.companyId}/${key.experimentId}`;
}
