import { fixedPolicy, prepareSumsPolicy, unlearnedAllocation } from './context-free/fixed-policy.ts';
import { createSumsLearner, decodeSumsLearner } from './context-free/sums-learner.ts';
import { createLinearLearner, decodeLinearLearner } from './linear/linear-learner.ts';
import { prepareLinearPolicy } from './linear/linear-policy.ts';
import type { PolicySpec } from './options.ts';
import type { Arm, Learner, Policy } from './policy.ts';
import { resolveOptions } from './resolve-options.ts';

/**
 * A learner that knows nothing yet.
 * @throws RangeError naming the option, the value received and what is allowed
 */
export function createLearner(spec: PolicySpec): Learner {
  const options = resolveOptions(spec);
  if (options.algorithm === 'LINEAR_CONTEXTUAL') return createLinearLearner(spec);
  return createSumsLearner(options);
}

/**
 * The learner whose `encode()` gave these bytes; it continues bit for bit.
 * @throws RangeError for a bad option, or bytes that are not a state of this algorithm
 */
export function decodeLearner(spec: PolicySpec, bytes: Uint8Array): Learner {
  const options = resolveOptions(spec);
  if (options.algorithm === 'LINEAR_CONTEXTUAL') return decodeLinearLearner(spec, bytes);
  return decodeSumsLearner(bytes, options);
}

/**
 * Prepares a policy once per (serving state, live arms).
 *
 * @param serving what `Learner.encodeServing` wrote; undefined: nothing learned yet, which serves by weight
 * @param arms all arms by index, at least one live; may be longer than when the state was encoded
 * @throws RangeError for a bad option or weight, no live arm, or bytes that are not a serving state of this algorithm
 */
export function preparePolicy(
  spec: PolicySpec,
  serving: Uint8Array | undefined,
  arms: readonly Arm[],
): Policy {
  const options = resolveOptions(spec);
  if (!serving) return fixedPolicy(unlearnedAllocation(arms));
  if (options.algorithm === 'LINEAR_CONTEXTUAL') return prepareLinearPolicy(spec, serving, arms);
  return prepareSumsPolicy(serving, arms, options);
}
