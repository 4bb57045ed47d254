import { fixedPolicy, prepareSumsPolicy, unlearnedAllocation } from './context-free/fixed-policy.ts';
import { createSumsLearner, decodeSumsLearner } from './context-free/sums-learner.ts';
import { createLinearLearner, decodeLinearLearner } from './linear/linear-learner.ts';
import { prepareLinearPolicy } from './linear/linear-policy.ts';
import { createNeuralLearner, decodeNeuralLearner } from './neural/neural-learner.ts';
import { prepareNeuralPolicy } from './neural/neural-policy.ts';
import type { PolicySpec } from './options.ts';
import type { Algorithm, Arm, Learner, Policy } from './policy.ts';
import { resolveOptions } from './resolve-options.ts';

/**
 * A learner that knows nothing yet.
 * @throws RangeError naming the option, the value received and what is allowed
 */
export function createLearner(spec: PolicySpec): Learner {
  return familyOf(spec).create(spec);
}

/**
 * The learner whose `encode()` gave these bytes; it continues bit for bit.
 * @throws RangeError for a bad option, or bytes that are not a state of this algorithm
 */
export function decodeLearner(spec: PolicySpec, bytes: Uint8Array): Learner {
  return familyOf(spec).decode(spec, bytes);
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
  const family = familyOf(spec);
  if (serving) return family.prepare(spec, serving, arms);
  resolveOptions(spec);
  return fixedPolicy(unlearnedAllocation(arms));
}

/** One implementation of the learner and policy interfaces. */
interface Family {
  readonly create: (spec: PolicySpec) => Learner;
  readonly decode: (spec: PolicySpec, bytes: Uint8Array) => Learner;
  readonly prepare: (spec: PolicySpec, serving: Uint8Array, arms: readonly Arm[]) => Policy;
}

const contextFree: Family = {
  create: (spec) => createSumsLearner(resolveOptions(spec)),
  decode: (spec, bytes) => decodeSumsLearner(bytes, resolveOptions(spec)),
  prepare: (spec, serving, arms) => prepareSumsPolicy(serving, arms, resolveOptions(spec)),
};

const families: Record<Algorithm, Family> = {
  EPSILON_GREEDY: contextFree,
  UCB1: contextFree,
  THOMPSON_SAMPLING: contextFree,
  LINEAR_CONTEXTUAL: {
    create: createLinearLearner,
    decode: decodeLinearLearner,
    prepare: prepareLinearPolicy,
  },
  NEURAL_CONTEXTUAL: {
    create: createNeuralLearner,
    decode: decodeNeuralLearner,
    prepare: prepareNeuralPolicy,
  },
};

function familyOf({ algorithm }: PolicySpec): Family {
  const family = families[algorithm];
  if (family) return family;
  throw new RangeError(`algorithm must be one of ${Object.keys(families).join(', ')}, got ${algorithm}`);
}
