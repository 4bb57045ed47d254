import { type Static, Type } from '@sinclair/typebox';
import { limits } from '../limits.ts';
import { descriptionSchema, instantSchema, metadataSchema, nameSchema, nullable } from './primitives.ts';

export const treatmentConfigSchema = Type.Object(
  {
    content: Type.String({ maxLength: limits.contentCharsMax }),
    metadata: Type.Optional(metadataSchema),
  },
  { additionalProperties: false },
);

export const createTreatmentSchema = Type.Object(
  {
    name: nameSchema,
    description: Type.Optional(descriptionSchema),
    config: treatmentConfigSchema,
    weight: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: limits.treatmentWeightMax, default: 1 }),
    ),
    isControl: Type.Optional(Type.Boolean({ default: false })),
  },
  { additionalProperties: false },
);
export type CreateTreatment = Static<typeof createTreatmentSchema>;

export const treatmentSchema = Type.Object(
  {
    id: Type.String(),
    experimentId: Type.String(),
    name: Type.String(),
    description: nullable(Type.String()),
    config: treatmentConfigSchema,
    weight: Type.Number(),
    isControl: Type.Boolean(),
    createdAt: instantSchema,
  },
  { $id: 'Treatment', title: 'Treatment' },
);
export type Treatment = Static<typeof treatmentSchema>;
