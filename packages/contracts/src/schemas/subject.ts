import { type Static, Type } from '@sinclair/typebox';
import { instantSchema, nullable, userIdSchema } from './primitives.ts';

export const subjectParamsSchema = Type.Object({ userId: userIdSchema });

const countSchema = Type.Integer({ minimum: 0 });

/** What an erasure answers. It holds nothing by which the user could be told without the platform's key. */
export const erasureReceiptSchema = Type.Object(
  {
    subject: Type.String({ description: 'Keyed hash of the user id, the same in the audit log.' }),
    erasedAt: instantSchema,
    erased: Type.Object(
      {
        assignments: countSchema,
        currentAssignments: countSchema,
        events: countSchema,
        eventKeys: countSchema,
        funnelRewards: countSchema,
      },
      {
        description:
          'Rows that were removed, or that belong to a pseudonym now; all 0 for a user who is unknown or erased already.',
      },
    ),
    remains: Type.Array(
      Type.Object({
        where: Type.String(),
        what: Type.String(),
        until: nullable(instantSchema),
      }),
      {
        description:
          'What an erasure does not reach, and when it is gone; null: for ever, or as long as you keep it.',
      },
    ),
  },
  { $id: 'ErasureReceipt', title: 'ErasureReceipt' },
);
export type ErasureReceipt = Static<typeof erasureReceiptSchema>;
