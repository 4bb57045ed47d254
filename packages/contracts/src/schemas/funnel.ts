import { type Static, Type } from '@sinclair/typebox';
import { eitherCaseEnum, experimentStatuses, funnelStatuses, stringEnum } from '../enums.ts';
import { limits } from '../limits.ts';
import {
  descriptionSchema,
  idSchema,
  instantSchema,
  nameSchema,
  nullable,
  userIdSchema,
} from './primitives.ts';
import { treatmentSchema } from './treatment.ts';

export const createFunnelSchema = Type.Object(
  {
    name: nameSchema,
    description: Type.Optional(descriptionSchema),
    experimentIds: Type.Array(idSchema, {
      minItems: 1,
      maxItems: limits.funnelExperimentsMax,
      uniqueItems: true,
    }),
  },
  { additionalProperties: false },
);
export type CreateFunnel = Static<typeof createFunnelSchema>;

export const updateFunnelSchema = Type.Object(
  {
    name: Type.Optional(nameSchema),
    description: Type.Optional(descriptionSchema),
    status: Type.Optional(eitherCaseEnum(funnelStatuses)),
  },
  { additionalProperties: false },
);
export type UpdateFunnel = Static<typeof updateFunnelSchema>;

export const funnelSchema = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    description: nullable(Type.String()),
    experimentIds: Type.Array(Type.String()),
    status: stringEnum(funnelStatuses),
    createdAt: instantSchema,
    updatedAt: instantSchema,
  },
  { $id: 'Funnel', title: 'Funnel' },
);
export type Funnel = Static<typeof funnelSchema>;

export const funnelDetailSchema = Type.Composite(
  [
    funnelSchema,
    Type.Object({
      experiments: Type.Array(
        Type.Object({
          id: Type.String(),
          name: Type.String(),
          status: stringEnum(experimentStatuses),
          treatments: Type.Array(treatmentSchema),
        }),
      ),
    }),
  ],
  { $id: 'FunnelDetail', title: 'FunnelDetail' },
);

export const funnelRewardSchema = Type.Object(
  { userId: userIdSchema, value: Type.Number({ minimum: 0, maximum: limits.valueAbsMax }) },
  { additionalProperties: false },
);
export type FunnelReward = Static<typeof funnelRewardSchema>;

export const funnelRewardResultSchema = Type.Object({
  funnelId: Type.String(),
  userId: Type.String(),
  value: Type.Number(),
});
