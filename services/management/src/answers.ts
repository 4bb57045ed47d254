import { failureEnvelopeSchema, successEnvelope } from '@bandit/contracts';
import type { TSchema } from '@sinclair/typebox';

const exampleTimestamp = '2026-01-15T10:30:00.000Z';

/**
 * Response schemas of a route: the envelope around `data` for the success status, the failure body for every other, and
 * an example of the success. Every route may also answer 401, 429, 500 and 503.
 */
export function answers<Status extends 200 | 201, Data extends TSchema>(
  status: Status,
  data: Data,
  example: unknown,
  failures: readonly number[] = [],
) {
  const success = {
    ...successEnvelope(data),
    description: 'Success',
    examples: [{ success: true, data: example, timestamp: exampleTimestamp }],
  };
  const failure = Object.fromEntries(
    [...new Set([401, ...failures, 429, 500, 503])].map((code) => [code, failureEnvelopeSchema]),
  );
  return { [status]: success, ...failure } as { [code in Status]: ReturnType<typeof successEnvelope<Data>> };
}

/** A body schema with an example of it. */
export function withExample<T extends TSchema>(schema: T, example: unknown): T {
  return { ...schema, examples: [example] };
}
