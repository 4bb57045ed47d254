import { type Static, Type } from '@sinclair/typebox';
import { algorithms, contentTypes, eitherCaseEnum, experimentStatuses, stringEnum } from '../enums.ts';
import { limits } from '../limits.ts';
import { descriptionSchema, instantSchema, metadataSchema, nameSchema, nullable } from './primitives.ts';
import { createTreatmentSchema, treatmentSchema } from './treatment.ts';

const assignmentTtlSchema = Type.Integer({
  minimum: 0,
  maximum: limits.assignmentTtlSecondsMax,
  description: 'Seconds a user keeps a treatment; 0 = every request is a new decision.',
});

export const createExperimentSchema = Type.Object(
  {
    name: nameSchema,
    description: Type.Optional(descriptionSchema),
    algorithm: stringEnum(algorithms),
    contentType: Type.Optional(stringEnum(contentTypes)),
    algorithmConfig: Type.Optional(metadataSchema),
    assignmentTtl: Type.Optional(assignmentTtlSchema),
    treatments: Type.Optional(Type.Array(createTreatmentSchema, { maxItems: limits.treatmentsLiveMax })),
  },
  { additionalProperties: false },
);
export type CreateExperiment = Static<typeof createExperimentSchema>;

export const updateExperimentSchema = Type.Object(
  {
    name: Type.Optional(nameSchema),
    description: Type.Optional(descriptionSchema),
    status: Type.Optional(eitherCaseEnum(experimentStatuses)),
    assignmentTtl: Type.Optional(assignmentTtlSchema),
    endAt: Type.Optional(nullable(Type.String({ format: 'date-time' }))),
    algorithm: Type.Optional(stringEnum(algorithms)),
    algorithmConfig: Type.Optional(metadataSchema),
  },
  { additionalProperties: false },
);
export type UpdateExperiment = Static<typeof updateExperimentSchema>;

export const experimentSchema = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    description: nullable(Type.String()),
    algorithm: stringEnum(algorithms),
    algorithmConfig: metadataSchema,
    contentType: stringEnum(contentTypes),
    status: stringEnum(experimentStatuses),
    assignmentTtl: Type.Integer(),
    endAt: nullable(instantSchema),
    createdAt: instantSchema,
    updatedAt: instantSchema,
    treatments: Type.Array(treatmentSchema),
  },
  { $id: 'Experiment', title: 'Experiment' },
);
export type Experiment = Static<typeof experimentSchema>;
