/**
 * Rebuilds an experiment from its recorded history, through the same fold as the facts went the first time: the same
 * slices of the same chunks, and the same trained networks between them. Built aside and in pages; only at the end is
 * the partition held, for what came meanwhile and the swap. A crash leaves rows under the rebuild's token, which a
 * learner drops a day later. Where retention has dropped facts, or an erasure contexts, it begins at the base kept of them.
 */

import { ApiError, limits } from '@bandit/contracts';
import { createLearner, decodeLearner, type Learner } from '@bandit/core';
import {
  compareRebuilt,
  dropRebuild,
  type ExperimentKey,
  type FactRow,
  findLearnerExperiments,
  findOutcomes,
  findPageEnd,
  findRebuildBase,
  findServingOfState,
  isBaseMoved,
  type LearnerExperiment,
  listFolds,
  listSwaps,
  loadSwapNetwork,
  markGone,
  type NewException,
  type NewState,
  type OpenedDatabase,
  type OutcomeStore,
  type PartitionStanding,
  putOutcomes,
  type RebuildBase,
  type RecordedFold,
  readFacts,
  readStanding,
  swapRebuilt,
} from '@bandit/db';
import { addDays } from './add-days.ts';
import { createDayChanges, type DayChanges } from './day-changes.ts';
import { foldExperiment, type LearningSpec, learningSpec } from './fold-experiment.ts';
import { encodeState, takeSwap } from './fold-partition.ts';
import { replayOutcomes } from './replay-outcomes.ts';

type Db = OpenedDatabase['db'];

export interface RebuildDeps {
  readonly db: Db;
  readonly pause: () => Promise<void>;
  /** Names the rebuild; unique. */
  readonly makeToken: () => string;
}

/** Looks at the partition at most this often in a row: by then little is left to fold while it is held. */
const roundsBeforeLock = 4;
/** A newer base is taken once a month, and at an erasure; from it, less is left to replay each time. */
const triesMax = 10;

/** A newer base was taken while the rebuild ran: what it began from may be gone in part. */
class BaseMovedError extends Error {}

/** @throws ApiError EXPERIMENT_NOT_FOUND; else whatever the database throws: nothing was changed then */
export async function rebuildExperiment(deps: RebuildDeps, key: ExperimentKey): Promise<NewState> {
  const [experiment] = await findLearnerExperiments(deps.db, [key]);
  if (experiment === undefined)
    throw new ApiError(
      'EXPERIMENT_NOT_FOUND',
      `experiment ${JSON.stringify(key.experimentId)} was not found`,
    );
  for (let nTries = 1; ; nTries++) {
    try {
      return await rebuildOnce(deps, experiment);
    } catch (error) {
      if (!(error instanceof BaseMovedError) || nTries === triesMax) throw error;
    }
  }
}

async function rebuildOnce(deps: RebuildDeps, experiment: LearnerExperiment): Promise<NewState> {
  const token = deps.makeToken();
  const base = await findRebuildBase(deps.db, experiment.partition, experiment);
  const replay = startReplay(experiment, token, base);
  try {
    if (base !== undefined) await replayOutcomes(deps.db, replay, deps.pause);
    await catchUp(deps, replay);
    await compareOutcomes(deps, replay);
    await catchUp(deps, replay);
    return await deps.db.transaction().execute(async (trx) => {
      const standing = await readStanding(trx, experiment.partition, true);
      if (await isBaseMoved(trx, experiment.partition, experiment, base))
        throw new BaseMovedError('retention or an erasure took a newer base');
      await replayThrough(trx, replay, standing, deps.pause);
      return swapIn(trx, replay);
    });
  } finally {
    await dropRebuild(deps.db, token);
  }
}

async function catchUp(deps: RebuildDeps, replay: Replay): Promise<void> {
  for (let round = 0; round < roundsBeforeLock; round++) {
    const standing = await readStanding(deps.db, replay.experiment.partition, false);
    if (standing.cursorBatch === replay.throughBatch) return;
    await replayThrough(deps.db, replay, standing, deps.pause);
  }
}

/**
 * Finds, before the partition is held, where outcomes differ from what was rebuilt so far. What is rebuilt later counts
 * as different without a look: that is all that can have been learned meanwhile.
 */
async function compareOutcomes(deps: RebuildDeps, replay: Replay): Promise<void> {
  const { experiment, store } = replay;
  for (const compare of [compareRebuilt, markGone]) {
    let nonce: Uint8Array | undefined = new Uint8Array(0);
    while (nonce !== undefined) {
      nonce = await compare(deps.db, experiment, store.token, nonce, limits.rebuildCompareRowsMax);
      await deps.pause();
    }
  }
  replay.store = { ...store, isCompared: true };
}

interface Replay {
  readonly experiment: LearnerExperiment;
  readonly spec: LearningSpec;
  readonly learner: Learner;
  store: OutcomeStore & { kind: 'rebuild' };
  readonly base: RebuildBase | undefined;
  readonly days: DayChanges;
  readonly exceptions: NewException[];
  /** Read so far. */
  throughBatch: number;
  /** Read, but belonging to a chunk that is not read to its end. */
  carried: FactRow[];
  lastSwap: number;
  /** Of the last chunk. */
  nTrialsLast: number;
}

function startReplay(experiment: LearnerExperiment, token: string, base: RebuildBase | undefined): Replay {
  const spec = learningSpec(experiment);
  return {
    experiment,
    spec,
    learner: base?.state === undefined ? createLearner(spec) : decodeLearner(spec, base.state),
    base,
    store: { kind: 'rebuild', token, isCompared: false },
    days: createDayChanges(spec.model),
    exceptions: [],
    throughBatch: base?.throughBatch ?? -1,
    carried: [],
    lastSwap: base?.lastSwap ?? 0,
    nTrialsLast: 0,
  };
}

async function replayThrough(
  db: Db,
  replay: Replay,
  standing: PartitionStanding,
  pause: () => Promise<void>,
): Promise<void> {
  const { partition } = replay.experiment;
  while (replay.throughBatch < standing.cursorBatch) {
    const afterBatch = replay.throughBatch;
    const throughBatch = await findPageEnd(
      db,
      partition,
      afterBatch,
      standing.cursorBatch,
      limits.rebuildPageFactsMax,
    );
    const rows = await readFacts(db, { partition, afterBatch, throughBatch, experiment: replay.experiment });
    const folds = replay.spec.isContextual ? await listFolds(db, partition, afterBatch, throughBatch) : [];
    await replayPage(db, replay, [...replay.carried, ...rows], folds, pause);
    replay.throughBatch = throughBatch;
  }
  // Everything learned so far lies in recorded folds; what is left has no chunk of its own to wait for.
  await replayChunk(db, replay, replay.carried, pause);
  replay.carried = [];
  await replaySwaps(db, replay, standing.foldSeq, pause);
}

/** Cuts a page into its chunks. Without recorded folds order does not matter, and the page is one. */
async function replayPage(
  db: Db,
  replay: Replay,
  rows: FactRow[],
  folds: readonly RecordedFold[],
  pause: () => Promise<void>,
): Promise<void> {
  let rest = rows;
  for (const fold of folds) {
    await replaySwaps(db, replay, fold.seq - 1, pause);
    const end = rest.findIndex((row) => row.batch > fold.throughBatch);
    const chunk = end < 0 ? rest : rest.slice(0, end);
    rest = end < 0 ? [] : rest.slice(end);
    await replayChunk(db, replay, chunk, pause);
  }
  if (!replay.spec.isContextual) {
    await replayChunk(db, replay, rest, pause);
    rest = [];
  }
  replay.carried = rest;
}

async function replayChunk(
  db: Db,
  replay: Replay,
  rows: readonly FactRow[],
  pause: () => Promise<void>,
): Promise<void> {
  if (rows.length === 0) return;
  const { spec, learner, days, store } = replay;
  const rewarded = new Map(rows.flatMap((row) => (row.kind === 'reward' ? [[row.nonce, row]] : [])));
  const held = await findOutcomes(db, store, [...rewarded.values()]);
  const outcomes = new Map(held.map((outcome) => [outcome.nonce, outcome]));
  // By the exceptions on record, not by today's status: what was learned while it was live stays learned.
  const change = await foldExperiment({ spec, isArchived: false, learner, rows, outcomes, days }, pause);
  await putOutcomes(
    db,
    store,
    [...change.changed].map((nonce) => outcomes.get(nonce)!),
  );
  replay.exceptions.push(...change.exceptions);
  if (change.nTrials > 0) replay.nTrialsLast = change.nTrials;
}

/** Takes in the networks that came after folds up to `foldSeq`. */
async function replaySwaps(
  db: Db,
  replay: Replay,
  foldSeq: number,
  pause: () => Promise<void>,
): Promise<void> {
  if (replay.learner.training === undefined) return;
  for (const swap of await listSwaps(db, replay.experiment, replay.lastSwap)) {
    if (swap.afterFold > foldSeq) return;
    await takeSwap(replay.learner, await loadSwapNetwork(db, replay.experiment, swap.seq), pause);
    replay.lastSwap = swap.seq;
  }
}

async function swapIn(trx: Db, replay: Replay): Promise<NewState> {
  const { experiment, learner, throughBatch, nTrialsLast, store, base, days, exceptions } = replay;
  const rebuilt = encodeState(experiment, learner, 0, throughBatch, nTrialsLast);
  // The same state serves the same: how many trials its last version brought (rule 6) is not in the history.
  const serving = (await findServingOfState(trx, experiment, rebuilt.state)) ?? rebuilt.serving;
  const state = { ...rebuilt, serving };
  const { partition } = experiment;
  const version = await swapRebuilt(trx, {
    partition,
    token: store.token,
    state,
    days: addDays(base?.days ?? [], days.list()),
    exceptions,
  });
  return { ...state, version };
}
