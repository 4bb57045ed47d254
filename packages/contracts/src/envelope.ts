import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { type ErrorCode, errorCodes } from './error-codes.ts';

/** `{ success: true, data, timestamp }` around a data schema. */
export function successEnvelope<T extends TSchema>(data: T) {
  return Type.Object({
    success: Type.Literal(true),
    data,
    timestamp: Type.String({ format: 'date-time' }),
  });
}

export const errorCodeSchema = Type.Unsafe<ErrorCode>({ type: 'string', enum: Object.keys(errorCodes) });

/** The one failure body of every API route. */
export const failureEnvelopeSchema = Type.Object(
  {
    success: Type.Literal(false),
    error: Type.String({
      description: 'A sentence naming the thing, the value received and what is allowed.',
    }),
    code: errorCodeSchema,
    details: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    timestamp: Type.String({ format: 'date-time' }),
  },
  { $id: 'Failure', title: 'Failure' },
);
export type FailureEnvelope = Static<typeof failureEnvelopeSchema>;

export interface SuccessEnvelope<T> {
  success: true;
  data: T;
  timestamp: string;
}

/** @param nowMs database time in milliseconds since the epoch */
export function succeed<T>(data: T, nowMs: number): SuccessEnvelope<T> {
  return { success: true, data, timestamp: new Date(nowMs).toISOString() };
}

export function fail(
  code: ErrorCode,
  error: string,
  nowMs: number,
  details?: Readonly<Record<string, unknown>>,
): FailureEnvelope {
  const timestamp = new Date(nowMs).toISOString();
  return details === undefined
    ? { success: false, error, code, timestamp }
    : { success: false, error, code, details, timestamp };
}
