import { cumulate, drawArm } from '../pmf/draw-arm.ts';
import { shareByWeight } from '../pmf/share-by-weight.ts';
import type { Arm, Decision, Policy } from '../policy.ts';
import type { ResolvedOptions } from '../resolve-options.ts';
import type { Allocation } from './allocate.ts';
import { readAllocation } from './serving-state.ts';

/**
 * Policy of a context-free algorithm: probabilities fixed until the next state version, one uniform number a choice.
 *
 * @param serving what `encodeServing` wrote
 */
export function prepareSumsPolicy(
  serving: Uint8Array,
  arms: readonly Arm[],
  options: ResolvedOptions,
): Policy {
  return fixedPolicy(readAllocation(serving, arms, options));
}

/** While nothing is known: shares by weight, and each of K live arms is the best with probability 1/K. */
export function unlearnedAllocation(arms: readonly Arm[]): Allocation {
  const nLive = arms.reduce((count, arm) => count + (arm.isLive ? 1 : 0), 0);
  return {
    pmf: shareByWeight(arms),
    confidence: Float64Array.from(arms, (arm) => (arm.isLive ? 1 / nLive : 0)),
  };
}

/** Draws from one PMF for every context. */
export function fixedPolicy({ pmf, confidence }: Allocation): Policy {
  const cumulative = cumulate(pmf);
  const decisions: Decision[] = Array.from(pmf, (propensity, armIndex) =>
    Object.freeze({ armIndex, propensity, confidence: confidence[armIndex]!, predictions: undefined }),
  );
  return {
    decide: (_context, uniform) => decisions[drawArm(cumulative, uniform)]!,
    pmf: () => pmf.slice(),
    confidence: () => confidence.slice(),
  };
}
