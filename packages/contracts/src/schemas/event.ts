import { type Static, Type } from '@sinclair/typebox';
import { eventTypeSchema } from '../enums.ts';
import { limits } from '../limits.ts';
import { idSchema, instantSchema, metadataSchema, nullable, userIdSchema } from './primitives.ts';

export const trackEventSchema = Type.Object(
  {
    assignmentId: Type.Optional(idSchema),
    experimentId: Type.Optional(idSchema),
    treatmentId: Type.Optional(idSchema),
    userId: Type.Optional(userIdSchema),
    eventType: eventTypeSchema,
    value: Type.Optional(Type.Number({ minimum: -limits.valueAbsMax, maximum: limits.valueAbsMax })),
    metadata: Type.Optional(metadataSchema),
    eventId: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: limits.eventIdCharsMax,
        description: "The client's own idempotency key within the company.",
      }),
    ),
    timestamp: Type.Optional(
      Type.String({ format: 'date-time', description: 'When it happened, ISO 8601.' }),
    ),
  },
  { additionalProperties: false },
);
export type TrackEvent = Static<typeof trackEventSchema>;

/** Items are checked one by one, so that a bad one is an item error and not a 400 of the batch. */
export const trackEventBatchSchema = Type.Object(
  { events: Type.Array(Type.Unknown(), { minItems: 1, maxItems: limits.eventBatchItemsMax }) },
  { additionalProperties: false },
);

export const eventSchema = Type.Object(
  {
    id: Type.String(),
    experimentId: Type.String(),
    treatmentId: Type.String(),
    userId: Type.String(),
    eventType: eventTypeSchema,
    value: nullable(Type.Number()),
    metadata: metadataSchema,
    timestamp: instantSchema,
  },
  { $id: 'Event', title: 'Event' },
);
export type Event = Static<typeof eventSchema>;

/** For the API document. */
export const eventExample: Event = {
  id: 'evt_abc123',
  experimentId: 'exp_abc123',
  treatmentId: 'trt_def456',
  userId: 'user_42',
  eventType: 'CONVERSION',
  value: 29.99,
  metadata: { product: 'premium-plan', assignmentId: 'asgn_xyz789' },
  timestamp: '2026-01-15T10:35:00.000Z',
};

export const batchErrorSchema = Type.Object({
  index: Type.Integer(),
  status: Type.Integer(),
  code: Type.String(),
  error: Type.String(),
  details: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});
export const batchResultSchema = Type.Object({
  total: Type.Integer(),
  success_count: Type.Integer(),
  created: Type.Array(eventSchema),
  errors: Type.Array(batchErrorSchema),
});
export type BatchResult = Static<typeof batchResultSchema>;
