import type { ResultMethod } from '@bandit/contracts';
import type { ResolvedOptions } from '@bandit/core';
import { type ContextualLog, declareContextualWinner } from './declare-contextual-winner.ts';
import type { Inference, MeasuredTreatment } from './measured-treatment.ts';

/**
 * Contextual experiments: plain sums lie, because each treatment was shown to the users it suits. Means are weighted by
 * the logged propensities (SNIPS), over self-reported trials never.
 *
 * @param confidence P(best) by arm index for a request without context; undefined while nothing was learned
 */
export function inferContextual(
  options: ResolvedOptions,
  treatments: readonly MeasuredTreatment[],
  confidence: ArrayLike<number> | undefined,
  log: ContextualLog | undefined,
): Inference {
  const means = treatments.map(({ totals }) =>
    totals.ipwSum > 0 ? totals.ipwRewardSum / totals.ipwSum : null,
  );
  const liveMeans = means.filter((mean, k) => mean !== null && treatments[k]!.isLive) as number[];
  const top = Math.max(...liveMeans);
  return {
    treatments: treatments.map(({ isLive }, k) => {
      const mean = means[k]!;
      return {
        rewardMean: mean,
        interval: null,
        probabilityBest: isLive ? (confidence?.[k] ?? null) : null,
        expectedLoss: isLive && mean !== null ? Math.max(0, top - mean) : null,
      };
    }),
    winner: declareContextualWinner(options, treatments, log),
    winnerIfRatesConstant: null,
    methods: {
      rewardMean: {
        name: 'SNIPS mean over all contexts, from logged propensities',
        kind: 'asymptotic',
        assumes: 'the users of the experiment are the ones of interest; self-reported trials do not enter',
      },
      interval: unavailable('the plain sums of a contextual policy give none'),
      probabilityBest: {
        name: 'posterior probability for a request without context',
        kind: 'model',
        assumes: 'the learned model; other contexts have other numbers',
      },
      expectedLoss: {
        name: 'largest SNIPS mean of a live treatment minus this one',
        kind: 'asymptotic',
        assumes: 'as the SNIPS means; choosing one treatment for every context',
      },
    },
  };
}

const unavailable = (assumes: string): ResultMethod => ({ name: 'not available', kind: 'none', assumes });
