import { type VariantStrategy, variantStrategies } from '@bandit/contracts';
import { drawBeta, type Rng } from '@bandit/core';
import type { StrategyRecord } from './judge-strategies.ts';

/**
 * A Thompson draw over the strategies: each gets one draw from Beta(1 + successes, 1 + failures), the largest wins. So
 * what has worked in this company is taken more often, and what has not been tried is still tried.
 */
export function chooseStrategy(
  records: Readonly<Record<VariantStrategy, StrategyRecord>>,
  rng: Rng,
): VariantStrategy {
  const draws = variantStrategies.map((strategy) => {
    const { successes, failures } = records[strategy];
    return { strategy, draw: drawBeta(rng, 1 + successes, 1 + failures) };
  });
  return draws.reduce((best, next) => (next.draw > best.draw ? next : best)).strategy;
}
