import type { Fact } from '@bandit/core';
import type { FactRow, Outcome, RewardRow, TrialRow } from '@bandit/db';
import { addReward, hasReward, mapReward, type RewardModel } from './map-reward.ts';

/** What one row does: to the learner (at most one fact) and to the outcome of its assignment. */
export interface SliceStep {
  readonly row: FactRow;
  readonly before: Outcome | undefined;
  /** undefined for a trial. */
  readonly after: Outcome | undefined;
}

export interface SlicePlan {
  readonly facts: Fact[];
  readonly steps: SliceStep[];
}

/**
 * Turns rows into facts for the learner. A reward that leaves the assignment's reward where it is has no fact: there is
 * nothing to learn from it.
 *
 * @param findOutcome the outcome of an assignment before this slice
 */
export function planSlice(
  rows: readonly FactRow[],
  model: RewardModel,
  findOutcome: (nonce: string) => Outcome | undefined,
): SlicePlan {
  const facts: Fact[] = [];
  const steps: SliceStep[] = [];
  const trialPositions = new Map<string, number>();
  const moved = new Map<string, Outcome>();
  for (const row of rows) {
    if (row.kind === 'trial') {
      trialPositions.set(row.nonce, facts.length);
      facts.push(trialFact(row));
      steps.push({ row, before: undefined, after: undefined });
      continue;
    }
    const before = moved.get(row.nonce) ?? findOutcome(row.nonce);
    const mapped = mapReward(model, row.source, row.value);
    const after = addReward(before ?? emptyOutcome(row), row.source, mapped, row.receivedAtMs);
    moved.set(row.nonce, after);
    steps.push({ row, before, after });
    if (after.reward !== (before?.reward ?? 0))
      facts.push(rewardFact(row, before, after, trialPositions.get(row.nonce)));
  }
  return { facts, steps };
}

export function emptyOutcome(row: FactRow): Outcome {
  return {
    companyId: row.companyId,
    experimentId: row.experimentId,
    nonce: row.nonce,
    trialNumber: undefined,
    conversionReward: undefined,
    funnelReward: undefined,
    reward: 0,
    firstRewardedAtMs: undefined,
  };
}

function trialFact(row: TrialRow): Fact {
  const { armIndex, context, propensity, predictions } = row;
  return { kind: 'trial', armIndex, context, propensity, predictions };
}

function rewardFact(
  row: RewardRow,
  before: Outcome | undefined,
  after: Outcome,
  trialPosition: number | undefined,
): Fact {
  const { armIndex, context, propensity, predictions } = row;
  return {
    kind: 'reward',
    armIndex,
    context,
    propensity,
    predictions,
    previous: before?.reward ?? 0,
    reward: after.reward,
    isFirst: before === undefined || !hasReward(before),
    trialPosition,
    trialNumber: before?.trialNumber,
  };
}
