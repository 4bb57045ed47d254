import { type VariantStrategy, variantStrategies } from '@bandit/contracts';
import type { StrategyOutcome } from '@bandit/db';

/** Treatments made with one strategy that did, and did not, beat what their experiment had. */
export interface StrategyRecord {
  readonly successes: number;
  readonly failures: number;
}

/** Fewer trials than this on either side say nothing: as many as a new treatment gets before it is treated as known. */
const trialsMin = 100;

/**
 * Success: the treatment's mean reward is above that of its experiment's control, or, where no control has enough
 * trials, above the mean of the experiment's other treatments together.
 */
export function judgeStrategies(
  outcomes: readonly StrategyOutcome[],
): Readonly<Record<VariantStrategy, StrategyRecord>> {
  const records = Object.fromEntries(variantStrategies.map((name) => [name, { successes: 0, failures: 0 }]));
  for (const outcome of outcomes) {
    const record = records[outcome.strategy];
    const isSuccess = hasBeatenOthers(outcome);
    if (!record || isSuccess === undefined) continue;
    records[outcome.strategy] = isSuccess
      ? { ...record, successes: record.successes + 1 }
      : { ...record, failures: record.failures + 1 };
  }
  return records as Record<VariantStrategy, StrategyRecord>;
}

/** undefined while there are too few trials to tell. */
function hasBeatenOthers(outcome: StrategyOutcome): boolean | undefined {
  const rival =
    outcome.controlTrials >= trialsMin
      ? { trials: outcome.controlTrials, rewardSum: outcome.controlRewardSum }
      : { trials: outcome.otherTrials, rewardSum: outcome.otherRewardSum };
  if (outcome.trials < trialsMin || rival.trials < trialsMin) return undefined;
  return outcome.rewardSum / outcome.trials > rival.rewardSum / rival.trials;
}
