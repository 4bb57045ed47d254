import { betaBest, studentBest } from '@bandit/core';
import type { TreatmentSums } from '@bandit/db';

/** What the prompt says of a treatment's results. */
export interface Performance {
  readonly trials: number;
  /** Mean reward per trial; undefined without trials. */
  readonly meanReward: number | undefined;
  /** P(this treatment has the highest mean reward) given the sums, in [0, 1]. */
  readonly bestProbability: number;
}

/**
 * Performance of the live treatments from their learned sums. Binary rewards: Beta(1 + s, 1 + n - s). Numeric: a
 * Student-t law around each mean with the treatments' pooled variance; 1/K while that is unknown or 0.
 *
 * @param sums shape [K], K >= 1; undefined for a treatment without trials
 * @returns shape [K]
 */
export function describePerformance(
  sums: readonly (TreatmentSums | undefined)[],
  reward: 'binary' | 'numeric',
): Performance[] {
  const best = reward === 'binary' ? binaryBest(sums) : numericBest(sums);
  return sums.map((sum, k) => ({
    trials: sum?.trials ?? 0,
    meanReward: sum && sum.trials > 0 ? sum.rewardSum / sum.trials : undefined,
    bestProbability: best[k]!,
  }));
}

function binaryBest(sums: readonly (TreatmentSums | undefined)[]): Float64Array {
  const successes = sums.map((sum) => Math.max(0, Math.min(sum?.rewardSum ?? 0, sum?.trials ?? 0)));
  return betaBest(
    successes.map((s) => 1 + s),
    successes.map((s, k) => 1 + (sums[k]?.trials ?? 0) - s),
  );
}

function numericBest(sums: readonly (TreatmentSums | undefined)[]): Float64Array {
  const nTrials = total(sums, 'trials');
  const mean = nTrials > 0 ? total(sums, 'rewardSum') / nTrials : 0;
  const variance = nTrials > 0 ? total(sums, 'rewardSqSum') / nTrials - mean * mean : 0;
  // Below 1e-12 of the squared mean the variance is rounding.
  if (!(variance > 1e-12 * mean * mean)) return new Float64Array(sums.length).fill(1 / sums.length);
  return studentBest(
    sums.map((sum) => {
      const n = sum?.trials ?? 0;
      // One pseudo-trial at the pooled mean stands for what is known of a treatment without trials.
      return {
        location: ((sum?.rewardSum ?? 0) + mean) / (n + 1),
        scale: Math.sqrt(variance / (n + 1)),
        degrees: n + 2,
      };
    }),
  );
}

function total(
  sums: readonly (TreatmentSums | undefined)[],
  field: 'trials' | 'rewardSum' | 'rewardSqSum',
): number {
  return sums.reduce((sum, next) => sum + (next?.[field] ?? 0), 0);
}
