/**
 * One record of the stream RECORDS: an assignment that was answered without the database, as JSON, version 1.
 *
 * Whose it is, which treatment, when and how it was drawn stand in the signed id and are read from nowhere else; the
 * partition follows from the experiment. Beside the id stands only what the id does not carry.
 */
import type { AssignmentIdCodec } from '@bandit/auth';
import { contextSchema, limits, type StoredRecord } from '@bandit/contracts';
import { type NewAssignment, partitionOfExperiment } from '@bandit/db';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { safeParse } from 'secure-json-parse';
import { hex } from './commit-group.ts';

/** A decision with the id that was answered. */
export interface AssignmentRecord {
  readonly row: NewAssignment;
  readonly assignmentId: string;
}

const messageSchema = Type.Object(
  {
    version: Type.Literal(1),
    assignmentId: Type.String(),
    predictions: Type.Optional(Type.Array(Type.Number())),
    context: Type.Optional(contextSchema),
    /** Nonce of the assignment that made way, in hexadecimal. */
    dropped: Type.Optional(Type.String({ pattern: '^[0-9a-f]{32}$' })),
  },
  { additionalProperties: false },
);

export function toStoredRecord({ row, assignmentId }: AssignmentRecord): StoredRecord {
  const { predictions, context, droppedNonce } = row;
  const message: Static<typeof messageSchema> = {
    version: 1,
    assignmentId,
    ...(predictions && { predictions: [...predictions] }),
    ...(context && { context }),
    ...(droppedNonce && { dropped: hex(droppedNonce) }),
  };
  return { id: hex(row.nonce), payload: Buffer.from(JSON.stringify(message)) };
}

/** @returns the decision, or why the record can never be brought in */
export function readStoredRecord(ids: Pick<AssignmentIdCodec, 'verify'>, payload: Uint8Array) {
  if (payload.byteLength > limits.recordBytesMax) return `it has ${payload.byteLength} bytes`;
  const message: unknown = safeParse(Buffer.from(payload).toString('utf8'));
  if (!Value.Check(messageSchema, message)) return 'it is not a record of version 1';
  const fields = ids.verify(message.assignmentId);
  if (!fields) return 'its assignment id does not verify';
  const row = rowOfFields(fields, {
    predictions: message.predictions,
    context: message.context,
    droppedNonce: message.dropped === undefined ? undefined : Buffer.from(message.dropped, 'hex'),
  });
  return row ?? 'its id is that of a client-made trial';
}

/** A decision as its id tells it; undefined for a client-made trial, which is none. */
export function rowOfFields(
  fields: NonNullable<ReturnType<AssignmentIdCodec['verify']>>,
  beside: Pick<NewAssignment, 'predictions' | 'context' | 'droppedNonce'>,
): NewAssignment | undefined {
  const { propensity } = fields;
  if (propensity === undefined) return undefined;
  return {
    ...fields,
    ...beside,
    propensity,
    partition: partitionOfExperiment(fields.experimentId),
    // With time 0 an assignment is over as it is made.
    isSticky: fields.expiresAtMs > fields.assignedAtMs,
  };
}
