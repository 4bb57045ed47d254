import { type Static, Type } from '@sinclair/typebox';
import { memberRoles, stringEnum } from '../enums.ts';
import { emailSchema, instantSchema } from './primitives.ts';

export const createMemberSchema = Type.Object(
  { email: emailSchema, role: stringEnum(memberRoles) },
  { additionalProperties: false },
);
export type CreateMember = Static<typeof createMemberSchema>;

export const updateMemberSchema = Type.Object(
  { role: stringEnum(memberRoles) },
  { additionalProperties: false },
);
export type UpdateMember = Static<typeof updateMemberSchema>;

export const memberSchema = Type.Object(
  { id: Type.String(), email: Type.String(), role: stringEnum(memberRoles), createdAt: instantSchema },
  { $id: 'Member', title: 'Member' },
);
export type Member = Static<typeof memberSchema>;
