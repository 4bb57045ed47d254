import { type Static, Type } from '@sinclair/typebox';
import { algorithms, experimentStatuses, stringEnum } from '../enums.ts';
import { instantSchema, nullable } from './primitives.ts';

const countSchema = (description: string) => Type.Integer({ minimum: 0, description });

const sums = {
  trials: countSchema('Assignments made.'),
  conversions: countSchema('Assignments with a learned reward.'),
  matured: countSchema('Trials whose attribution window is over; all of them without a window.'),
  pending: countSchema(
    'Trials whose window is still open: they may yet convert. matured + pending = trials.',
  ),
  late: countSchema('Rewards that came after the window: stored, not learned.'),
  rewardSum: Type.Number(),
};

const methodKinds = ['exact', 'asymptotic', 'model', 'none'] as const;

/** How a number was found and what has to hold for it to mean what it says. */
export const resultMethodSchema = Type.Object({
  name: Type.String(),
  kind: stringEnum(methodKinds, {
    description:
      'exact: holds at every look and sample size; asymptotic: only with many trials; model: a statement of the learned ' +
      'posterior; none: not available.',
  }),
  assumes: Type.String(),
});
export type ResultMethod = Static<typeof resultMethodSchema>;

export const treatmentResultSchema = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    isControl: Type.Boolean(),
    isRemoved: Type.Boolean({ description: 'Taken out of service; its history stays.' }),
    ...sums,
    rewardMean: nullable(
      Type.Number({ description: 'Estimated mean reward of a trial; null without trials.' }),
    ),
    interval: nullable(
      Type.Object({
        lower: nullable(Type.Number({ description: 'null: no lower bound yet.' })),
        upper: nullable(Type.Number({ description: 'null: no upper bound yet.' })),
      }),
    ),
    probabilityBest: nullable(Type.Number({ minimum: 0, maximum: 1 })),
    expectedLoss: nullable(
      Type.Number({
        minimum: 0,
        description: 'Mean reward a trial that choosing this treatment would cost.',
      }),
    ),
    currentProbability: Type.Number({
      minimum: 0,
      maximum: 1,
      description: 'Share of new assignments; for contextual algorithms that of a request without context.',
    }),
  },
  { $id: 'TreatmentResult', title: 'TreatmentResult' },
);
export type TreatmentResult = Static<typeof treatmentResultSchema>;

const winnerSchema = Type.Object({
  isDeclared: Type.Boolean(),
  leaderId: nullable(Type.String({ description: 'The treatment in the lead; null when none is.' })),
  logEvidence: nullable(Type.Number({ description: 'Natural logarithm; null: none.' })),
  logThreshold: nullable(Type.Number({ description: 'What logEvidence must reach.' })),
  statement: Type.String(),
  method: resultMethodSchema,
});
export type WinnerStatement = Static<typeof winnerSchema>;

export const resultsSchema = Type.Object(
  {
    experimentId: Type.String(),
    status: stringEnum(experimentStatuses),
    algorithm: stringEnum(algorithms),
    reward: stringEnum(['binary', 'numeric']),
    attributionWindow: Type.Integer({ minimum: 0, description: 'Seconds; 0 = no limit.' }),
    level: Type.Number({ description: 'Confidence of intervals and of the winner statement.' }),
    treatments: Type.Array(treatmentResultSchema),
    totals: Type.Object({ ...sums, rewardMean: nullable(Type.Number()) }),
    winner: winnerSchema,
    winnerIfRatesConstant: nullable(winnerSchema),
    state: Type.Object({
      version: Type.Integer({ minimum: 0, description: '0: nothing learned yet.' }),
      trials: Type.Integer({ minimum: 0 }),
      updatedAt: nullable(instantSchema),
      ageMs: nullable(Type.Integer({ minimum: 0 })),
    }),
    methods: Type.Object({
      rewardMean: resultMethodSchema,
      interval: resultMethodSchema,
      probabilityBest: resultMethodSchema,
      expectedLoss: resultMethodSchema,
    }),
  },
  { $id: 'Results', title: 'Results' },
);
export type Results = Static<typeof resultsSchema>;
