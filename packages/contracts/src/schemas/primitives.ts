import { Type } from '@sinclair/typebox';
import { limits } from '../limits.ts';

/** Holds a character that is not white space. */
const notBlank = '\\S';

export const idSchema = Type.String({ minLength: 1, maxLength: 2_048 });
export const userIdSchema = Type.String({
  minLength: 1,
  maxLength: limits.userIdCharsMax,
  pattern: notBlank,
  description: `The end user, 1 to ${limits.userIdCharsMax} characters, not blank.`,
});
export const nameSchema = Type.String({ minLength: 1, maxLength: limits.nameCharsMax, pattern: notBlank });
/** One @, no white space, a dot in the domain; stored and answered in lower case. */
export const emailSchema = Type.String({
  minLength: 3,
  maxLength: limits.emailCharsMax,
  pattern: '^[^\\s@]+@[^\\s@.]+(\\.[^\\s@.]+)+$',
  description: 'E-mail address, unique over all companies whatever its case.',
});
export const descriptionSchema = Type.String({ maxLength: limits.descriptionCharsMax });
export const instantSchema = Type.String({
  format: 'date-time',
  description: 'UTC, ISO 8601 with milliseconds.',
});
export const nullable = <T extends import('@sinclair/typebox').TSchema>(schema: T) =>
  Type.Union([schema, Type.Null()]);

const contextValueSchema = Type.Union([
  Type.String({ maxLength: limits.contextStringCharsMax }),
  Type.Number(),
  Type.Boolean(),
]);
export const contextSchema = Type.Record(Type.String(), contextValueSchema, {
  maxProperties: limits.contextKeysMax,
  propertyNames: { minLength: 1, maxLength: limits.contextKeyCharsMax },
  // Record's own pattern leaves out keys with line breaks.
  additionalProperties: contextValueSchema,
  description:
    'Flat; values are strings, finite numbers or booleans; null, nested values and arrays are refused.',
});

/** Any JSON object; its size and depth are checked before the schema. */
export const metadataSchema = Type.Record(Type.String(), Type.Unknown());

export const experimentParamsSchema = Type.Object({ id: idSchema });
export const paginationSchema = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: limits.eventListLimitMax, default: limits.eventListLimitDefault }),
    ),
    offset: Type.Optional(Type.Integer({ minimum: 0, maximum: limits.eventListOffsetMax, default: 0 })),
  },
  { additionalProperties: false },
);
