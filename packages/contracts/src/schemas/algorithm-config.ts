/**
 * `algorithmConfig`: one closed schema per algorithm. Defaults and meaning stand in bandit-core's options; a field
 * an algorithm does not know is refused with the list of those it does.
 */
import type {
  EpsilonGreedyConfig,
  LinearConfig,
  NeuralConfig,
  ThompsonConfig,
  Ucb1Config,
} from '@bandit/core';
import { type Static, type TObject, Type } from '@sinclair/typebox';
import { type Algorithm, stringEnum } from '../enums.ts';
import { limits } from '../limits.ts';

const common = {
  reward: Type.Optional(stringEnum(['binary', 'numeric'])),
  attributionWindow: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: limits.attributionWindowSecondsMax,
      description: 'Seconds; 0 = no limit.',
    }),
  ),
  explorationFloor: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  valueRange: Type.Optional(
    Type.Tuple([
      Type.Number({ minimum: -limits.valueAbsMax, maximum: limits.valueAbsMax }),
      Type.Number({ minimum: -limits.valueAbsMax, maximum: limits.valueAbsMax }),
    ]),
  ),
};

const contextFree = { ...common, discount: Type.Optional(Type.Number({ minimum: 0.9, maximum: 1 })) };

const contextual = {
  ...common,
  explorer: Type.Optional(stringEnum(['squarecb', 'thompson'])),
  gammaScale: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e9 })),
  regularization: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e9 })),
};

const closed = { additionalProperties: false };

export const epsilonGreedyConfigSchema = Type.Object(
  {
    ...contextFree,
    epsilon: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    decay: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e9 })),
  },
  closed,
);
export const ucb1ConfigSchema = Type.Object(
  { ...contextFree, variant: Type.Optional(stringEnum(['ucb1', 'tuned', 'kl'])) },
  closed,
);
const pseudoCount = Type.Number({ exclusiveMinimum: 0, maximum: 1e6 });
export const thompsonConfigSchema = Type.Object(
  { ...contextFree, prior: Type.Optional(Type.Object({ alpha: pseudoCount, beta: pseudoCount }, closed)) },
  closed,
);
export const linearConfigSchema = Type.Object(contextual, closed);
export const neuralConfigSchema = Type.Object(contextual, closed);

export const algorithmConfigSchemas: Readonly<Record<Algorithm, TObject>> = {
  EPSILON_GREEDY: epsilonGreedyConfigSchema,
  UCB1: ucb1ConfigSchema,
  THOMPSON_SAMPLING: thompsonConfigSchema,
  LINEAR_CONTEXTUAL: linearConfigSchema,
  NEURAL_CONTEXTUAL: neuralConfigSchema,
};

type Loose<T> = { [K in keyof T]?: T[K] | undefined };
/** Fails the type check when a schema and bandit-core's options drift apart. */
export type AlgorithmConfigsAgree = [
  Static<typeof epsilonGreedyConfigSchema> extends Loose<EpsilonGreedyConfig> ? true : never,
  Static<typeof ucb1ConfigSchema> extends Loose<Ucb1Config> ? true : never,
  Static<typeof thompsonConfigSchema> extends Loose<ThompsonConfig> ? true : never,
  Static<typeof linearConfigSchema> extends Loose<LinearConfig> ? true : never,
  Static<typeof neuralConfigSchema> extends Loose<NeuralConfig> ? true : never,
];
