import type { ExperimentSnapshot } from '@bandit/contracts';
import type { Context, Decision, Policy } from '@bandit/core';
import { drawByHash } from './draw-by-hash.ts';

/** The decision in which `drawByHash` picks the treatment: the same on every instance with the same state. */
export function decideByHash(
  key: Uint8Array,
  experiment: ExperimentSnapshot,
  userId: string,
  policy: Policy,
  context: Context | undefined,
): Decision {
  const pmf = policy.pmf(context);
  const position = drawByHash(key, experiment, userId, pmf);
  // A uniform number in the middle of the arm's share makes the policy choose it, with all that it logs.
  const decision = policy.decide(context, middleOf(pmf, position));
  if (decision.armIndex === position) return decision;
  return {
    armIndex: position,
    propensity: pmf[position]!,
    confidence: policy.confidence(context)[position]!,
    predictions: undefined,
  };
}

function middleOf(pmf: Float64Array, position: number): number {
  let below = 0;
  for (let i = 0; i < position; i++) below += pmf[i]!;
  return below + pmf[position]! / 2;
}
