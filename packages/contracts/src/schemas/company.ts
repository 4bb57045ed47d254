import { type Static, Type } from '@sinclair/typebox';
import { limits } from '../limits.ts';
import { memberSchema } from './member.ts';
import { emailSchema, nameSchema } from './primitives.ts';

export const createCompanySchema = Type.Object(
  { name: nameSchema, adminEmail: emailSchema },
  { additionalProperties: false },
);
export type CreateCompany = Static<typeof createCompanySchema>;

/** The one answer that ever shows a tenant's first API key. */
export const companySchema = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    admin: memberSchema,
    apiKey: Type.String({
      maxLength: limits.apiKeyCharsMax,
      description: 'The first API key, shown this once; it may assign and send events.',
    }),
  },
  { $id: 'Company', title: 'Company' },
);
export type Company = Static<typeof companySchema>;
