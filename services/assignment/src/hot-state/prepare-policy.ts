import type { ExperimentSnapshot } from '@bandit/contracts';
import { type Arm, type Policy, type PolicySpec, preparePolicy } from '@bandit/core';

/**
 * The policy of an experiment over its treatments; the arm index is the treatment's position.
 *
 * @param serving encoded serving state; undefined: nothing learned, which serves by weight
 * @throws RangeError for a state that is not one of this algorithm, or an experiment without live treatments
 */
export function prepareExperimentPolicy(
  experiment: ExperimentSnapshot,
  serving: Uint8Array | undefined,
): Policy {
  // The configuration was checked against the algorithm's closed schema when it was stored.
  const spec = { algorithm: experiment.algorithm, config: experiment.algorithmConfig } as PolicySpec;
  const arms: Arm[] = experiment.treatments.map(({ weight, isLive, isOriginal }) => ({
    weight,
    isLive,
    isOriginal,
  }));
  return preparePolicy(spec, serving, arms);
}
