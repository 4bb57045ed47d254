import { type Static, Type } from '@sinclair/typebox';
import { contextSchema, idSchema, userIdSchema } from './primitives.ts';
import { treatmentConfigSchema } from './treatment.ts';

export const createAssignmentSchema = Type.Object(
  { experimentId: idSchema, userId: userIdSchema, context: Type.Optional(contextSchema) },
  { additionalProperties: false },
);
export type CreateAssignment = Static<typeof createAssignmentSchema>;

export const assignmentParamsSchema = Type.Object({ experimentId: idSchema });

export const getAssignmentQuerySchema = Type.Object(
  {
    userId: userIdSchema,
    context: Type.Optional(
      Type.String({ maxLength: 65_536, description: 'The context object as JSON text.' }),
    ),
  },
  { additionalProperties: false },
);

export const assignmentSchema = Type.Object(
  {
    assignmentId: Type.String(),
    experimentId: Type.String(),
    treatment: Type.Object({ id: Type.String(), name: Type.String(), config: treatmentConfigSchema }),
    confidence: Type.Number({
      minimum: 0,
      maximum: 1,
      description: 'Posterior probability, at the draw, that this treatment is the best for this request.',
    }),
  },
  { $id: 'Assignment', title: 'Assignment' },
);
export type Assignment = Static<typeof assignmentSchema>;
