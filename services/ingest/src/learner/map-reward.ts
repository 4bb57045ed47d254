import type { EventSource, Outcome } from '@bandit/db';

export type RewardModel = 'binary' | 'numeric';

/**
 * What one conversion or funnel reward is worth (ALGORITHMS, rule 4): binary counts any conversion as 1 and a funnel
 * reward as 1 if its value is above 0; numeric takes the value, and 1 where there is none.
 */
export function mapReward(model: RewardModel, source: EventSource, value: number | undefined): number {
  if (model === 'numeric') return value ?? 1;
  if (source === 'client') return 1;
  return (value ?? 0) > 0 ? 1 : 0;
}

/** Outcome of an assignment after a further reward: the larger per source, then the larger of the sources present. */
export function addReward(
  outcome: Outcome,
  source: EventSource,
  mapped: number,
  receivedAtMs: number,
): Outcome {
  const larger = (held: number | undefined) => (held === undefined ? mapped : Math.max(held, mapped));
  const conversionReward = source === 'client' ? larger(outcome.conversionReward) : outcome.conversionReward;
  const funnelReward = source === 'funnel' ? larger(outcome.funnelReward) : outcome.funnelReward;
  const present = [conversionReward, funnelReward].filter((reward) => reward !== undefined);
  return {
    ...outcome,
    conversionReward,
    funnelReward,
    reward: Math.max(...present),
    firstRewardedAtMs: outcome.firstRewardedAtMs ?? receivedAtMs,
  };
}

export function hasReward(outcome: Outcome): boolean {
  return outcome.conversionReward !== undefined || outcome.funnelReward !== undefined;
}

/** A success in the counters: binary, a reward above 0; numeric, any conversion at all. */
export function isSuccess(model: RewardModel, outcome: Outcome | undefined): boolean {
  if (outcome === undefined || !hasReward(outcome)) return false;
  return model === 'numeric' || outcome.reward > 0;
}
