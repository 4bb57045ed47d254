import { type Static, Type } from '@sinclair/typebox';
import { apiKeyScopes, stringEnum } from '../enums.ts';
import { instantSchema, nameSchema, nullable } from './primitives.ts';

const scopesSchema = Type.Array(stringEnum(apiKeyScopes), {
  minItems: 1,
  maxItems: apiKeyScopes.length,
  uniqueItems: true,
  description: 'What the key may do; left out, everything.',
});

export const createApiKeySchema = Type.Object(
  {
    name: nameSchema,
    scopes: Type.Optional(scopesSchema),
    expiresAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'A future instant; left out, the key never expires.' }),
    ),
  },
  { additionalProperties: false },
);
export type CreateApiKey = Static<typeof createApiKeySchema>;

const identity = {
  id: Type.String(),
  name: Type.String(),
  prefix: Type.String({ description: 'The public start of the key: enough to recognise it, not to use it.' }),
  scopes: Type.Array(stringEnum(apiKeyScopes)),
  createdAt: instantSchema,
  expiresAt: nullable(instantSchema),
};

/** A key as lists show it: never the secret. */
export const apiKeySchema = Type.Object(
  { ...identity, lastUsedAt: nullable(instantSchema), revokedAt: nullable(instantSchema) },
  { $id: 'ApiKey', title: 'ApiKey' },
);
export type ApiKey = Static<typeof apiKeySchema>;

/** The answer to a creation, the only time the key itself is shown. */
export const createdApiKeySchema = Type.Object(
  { ...identity, key: Type.String() },
  { $id: 'CreatedApiKey', title: 'CreatedApiKey' },
);
export type CreatedApiKey = Static<typeof createdApiKeySchema>;
