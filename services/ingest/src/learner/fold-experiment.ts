import { limits } from '@bandit/contracts';
import { type Algorithm, type AlgorithmConfig, decodeLearner, type Learner } from '@bandit/core';
import type { FactExceptionReason, FactRow, LearnerExperiment, NewException, Outcome } from '@bandit/db';
import type { DayChanges } from './day-changes.ts';
import type { RewardModel } from './map-reward.ts';
import { emptyOutcome, planSlice, type SlicePlan } from './plan-slice.ts';

export interface LearningSpec {
  readonly algorithm: Algorithm;
  readonly config: AlgorithmConfig;
  readonly model: RewardModel;
  readonly attributionWindowMs: number;
  readonly isContextual: boolean;
  /** True when a late reward needs the number of its trial. */
  readonly keepsTrialNumbers: boolean;
}

export function learningSpec(experiment: LearnerExperiment): LearningSpec {
  const config = experiment.algorithmConfig as AlgorithmConfig & { discount?: number };
  return {
    algorithm: experiment.algorithm,
    config,
    model: config.reward ?? 'binary',
    attributionWindowMs: (config.attributionWindow ?? 0) * 1_000,
    isContextual: experiment.algorithm.endsWith('_CONTEXTUAL'),
    // Discounting weighs a trial by its number; the neural learner relabels its replay row by it.
    keepsTrialNumbers: (config.discount ?? 1) < 1 || experiment.algorithm === 'NEURAL_CONTEXTUAL',
  };
}

export interface ExperimentFold {
  readonly spec: LearningSpec;
  /** True when what comes now is stored only. A rebuild goes by the exceptions on record instead. */
  readonly isArchived: boolean;
  readonly learner: Learner;
  /** In the log's order. */
  readonly rows: readonly FactRow[];
  /** Outcomes of the assignments that `rows` reward; changed in place as the fold goes on. */
  readonly outcomes: Map<string, Outcome>;
  readonly days: DayChanges;
}

export interface ExperimentChange {
  readonly nTrials: number;
  /** Rows that were learned. */
  readonly nTaught: number;
  /** Nonces whose outcome changed. */
  readonly changed: ReadonlySet<string>;
  readonly exceptions: readonly NewException[];
}

/**
 * Folds one experiment's facts of one chunk, in order. The chunk is cut into slices of a fixed number of learnable
 * facts, so that no stretch of work is long, and a rebuild cuts it alike.
 *
 * A fact that cannot be learned becomes an exception and the rest goes on; whatever this throws, the learner must be
 * dropped, as earlier slices are already in it.
 *
 * @param pause called between slices
 */
export async function foldExperiment(
  fold: ExperimentFold,
  pause: () => Promise<void>,
): Promise<ExperimentChange> {
  const exceptions = new Map<string, NewException>();
  const changed = new Set<string>();
  const except = (row: FactRow, reason: FactExceptionReason, message: string) =>
    exceptions.set(row.factId, toException(row, reason, message));
  const lostTrials = new Set<string>();
  let waiting = fold.rows.filter((row) => {
    const verdict = judgeRow(fold, row);
    if (verdict === 'late') fold.days.addLate(row);
    if (verdict !== undefined && row.excepted === undefined) except(row, verdict, messageOf(verdict, row));
    return verdict === undefined;
  });
  let nTrials = 0;
  let nTaught = 0;
  while (waiting.length > 0) {
    const slice = takeSlice(fold.spec, waiting, lostTrials, (row) =>
      except(row, 'poison', 'its trial was not learned'),
    );
    const plan = planSlice(slice.rows, fold.spec.model, (nonce) => fold.outcomes.get(nonce));
    const result = tryFold(fold.learner, plan);
    if ('firstTrial' in result) {
      nTrials += applyPlan(fold, plan, result.firstTrial, changed);
      nTaught += slice.rows.length;
      waiting = slice.rest;
    } else {
      const bad = findBadRow(fold, slice.rows, result.error);
      except(bad, 'poison', String((result.error as Error).message).slice(0, 500));
      if (bad.kind === 'trial') lostTrials.add(bad.nonce);
      waiting = [...slice.rows.filter((row) => row !== bad), ...slice.rest];
    }
    await pause();
  }
  return { nTrials, nTaught, changed, exceptions: [...exceptions.values()] };
}

/** Why a row is not learned, as far as the row itself tells; undefined: it is. */
function judgeRow(fold: ExperimentFold, row: FactRow): FactExceptionReason | undefined {
  if (row.excepted !== undefined) return row.excepted;
  if (fold.isArchived) return 'archived';
  if (row.kind === 'trial') return undefined;
  if (row.trialBatch === undefined || row.trialBatch > row.batch || row.isTrialExcepted) return 'poison';
  const { attributionWindowMs } = fold.spec;
  const isLate = attributionWindowMs > 0 && row.receivedAtMs - row.assignedAtMs > attributionWindowMs;
  return isLate ? 'late' : undefined;
}

function messageOf(reason: FactExceptionReason, row: FactRow): string {
  if (reason === 'archived') return 'the experiment is archived';
  if (reason === 'late') return 'the reward came after the attribution window';
  return `its assignment ${row.nonce} was not learned before it`;
}

function toException(row: FactRow, reason: FactExceptionReason, message: string): NewException {
  const { companyId, experimentId, factId, batch, position } = row;
  const factKind = row.kind === 'trial' ? 'assignment' : 'event';
  return { companyId, experimentId, factKind, factId, batch, position, reason, message };
}

/** The next learnable rows: all of them where order does not matter. */
function takeSlice(
  spec: LearningSpec,
  waiting: readonly FactRow[],
  lostTrials: ReadonlySet<string>,
  onLost: (row: FactRow) => void,
): { rows: FactRow[]; rest: FactRow[] } {
  const live = waiting.filter((row) => {
    const isLost = row.kind === 'reward' && lostTrials.has(row.nonce);
    if (isLost) onLost(row);
    return !isLost;
  });
  const size = spec.isContextual ? limits.learnerSliceFactsMax : live.length;
  return { rows: live.slice(0, size), rest: live.slice(size) };
}

function tryFold(learner: Learner, plan: SlicePlan): { firstTrial: number } | { error: unknown } {
  try {
    return { firstTrial: learner.fold(plan.facts) };
  } catch (error) {
    return { error };
  }
}

/** Now that the learner has the slice: outcomes, counters, trial numbers. @returns the number of its trials */
function applyPlan(fold: ExperimentFold, plan: SlicePlan, firstTrial: number, changed: Set<string>): number {
  let nTrials = 0;
  for (const { row, before, after } of plan.steps) {
    if (row.kind === 'trial') {
      fold.days.addTrial(row);
      if (fold.spec.keepsTrialNumbers) {
        fold.outcomes.set(row.nonce, { ...emptyOutcome(row), trialNumber: firstTrial + nTrials });
        changed.add(row.nonce);
      }
      nTrials += 1;
    } else if (after !== undefined) {
      // A trial of this very slice got its number after the plan was made.
      const trialNumber = after.trialNumber ?? fold.outcomes.get(row.nonce)?.trialNumber;
      fold.outcomes.set(row.nonce, { ...after, trialNumber });
      changed.add(row.nonce);
      fold.days.addReward(row, before, after);
    }
  }
  return nTrials;
}

/**
 * The row whose fact makes the fold throw: the last of the shortest prefix that does, found by halving on copies of the
 * learner.
 */
function findBadRow(fold: ExperimentFold, rows: readonly FactRow[], error: unknown): FactRow {
  const { spec, learner } = fold;
  const state = learner.encode();
  const throws = (nRows: number) => {
    const plan = planSlice(rows.slice(0, nRows), spec.model, (nonce) => fold.outcomes.get(nonce));
    return 'error' in tryFold(decodeLearner(spec, state), plan);
  };
  let good = 0;
  let bad = rows.length;
  if (!throws(bad)) throw error;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (throws(middle)) bad = middle;
    else good = middle;
  }
  return rows[bad - 1]!;
}
