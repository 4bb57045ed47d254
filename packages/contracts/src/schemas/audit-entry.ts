import { type Static, Type } from '@sinclair/typebox';
import { instantSchema, metadataSchema } from './primitives.ts';

const sha256Schema = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 in hexadecimal.' });

/**
 * One management change. `hash` = SHA-256(previousHash || canonical JSON of the company's id and the other
 * fields), the first entry's previousHash is 32 zero bytes, and `seq` counts 1, 2, 3 … within the company without gaps.
 */
export const auditEntrySchema = Type.Object(
  {
    id: Type.String(),
    seq: Type.Integer({ minimum: 1 }),
    actor: Type.String({ description: 'Member id, `platform` or `scheduler`.' }),
    action: Type.String({ description: 'Such as `experiment.update`.' }),
    target: Type.String({ description: 'Id of what was changed.' }),
    details: metadataSchema,
    at: instantSchema,
    previousHash: sha256Schema,
    hash: sha256Schema,
  },
  { $id: 'AuditEntry', title: 'AuditEntry' },
);
export type AuditEntry = Static<typeof auditEntrySchema>;
