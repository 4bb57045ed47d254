/**
 * What the sums say of each treatment, by the family of the experiment: context-free binary, context-free numeric, or
 * contextual (ALGORITHMS, Inference on adaptive data). Pure: the counting is the learner's, the mathematics
 * bandit-core's; here it is chosen and labelled.
 */
import type { ResultMethod } from '@bandit/contracts';
import { judgeArms, type ResolvedOptions } from '@bandit/core';
import type { ContextualLog } from './declare-contextual-winner.ts';
import { inferContextual } from './infer-contextual.ts';
import { inferNumeric } from './infer-numeric.ts';
import { inferRates } from './infer-rates.ts';
import type { Inference, MeasuredTreatment } from './measured-treatment.ts';

/**
 * @param treatments every treatment the experiment ever had, by arm index
 * @param confidence P(best) by arm index as the contextual policy sees a request without context; undefined for
 *   context-free algorithms, and while nothing was learned
 * @param log what a contextual winner is declared from; left out, none is
 */
export function inferResults(
  options: ResolvedOptions,
  treatments: readonly MeasuredTreatment[],
  confidence: ArrayLike<number> | undefined,
  log?: ContextualLog,
): Inference {
  if (isContextual(options)) return inferContextual(options, treatments, confidence, log);
  const family =
    options.reward === 'binary' ? inferRates(treatments) : inferNumeric(treatments, options.valueRange);
  const { means, intervals, winner, winnerIfRatesConstant } = family;
  const best = judgeLive(treatments, options.reward);
  return {
    treatments: treatments.map((_, k) => ({
      rewardMean: means[k]!,
      interval: intervals[k]!,
      probabilityBest: best[k]?.probabilityBest ?? null,
      expectedLoss: best[k]?.expectedLoss ?? null,
    })),
    winner,
    winnerIfRatesConstant,
    methods: { ...family.methods, ...judgeMethods(options.reward) },
  };
}

export function isContextual({ algorithm }: ResolvedOptions): boolean {
  return algorithm === 'LINEAR_CONTEXTUAL' || algorithm === 'NEURAL_CONTEXTUAL';
}

/** Shape of `treatments`; undefined for those that are not live. */
function judgeLive(treatments: readonly MeasuredTreatment[], reward: 'binary' | 'numeric') {
  const live = treatments.filter((treatment) => treatment.isLive);
  if (live.length === 0) return [];
  const sums = live.map(({ totals }) => ({
    n: totals.trials,
    s: totals.rewardSum,
    s2: totals.rewardSqSum,
  }));
  const judged = judgeArms(sums, reward);
  return treatments.map((treatment) => judged[live.indexOf(treatment)]);
}

function judgeMethods(
  reward: 'binary' | 'numeric',
): Readonly<Record<'probabilityBest' | 'expectedLoss', ResultMethod>> {
  const law = reward === 'binary' ? 'Beta(1 + s, 1 + n - s)' : 'Normal-inverse-gamma, prior pooled';
  const assumes =
    'constant means and independent rewards; looking often does not keep it from being wrong more often than it says';
  return {
    probabilityBest: { name: `posterior probability, ${law}`, kind: 'model', assumes },
    expectedLoss: { name: `posterior expected loss, ${law}`, kind: 'model', assumes },
  };
}
