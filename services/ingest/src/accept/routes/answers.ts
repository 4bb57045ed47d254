import { failureEnvelopeSchema } from '@bandit/contracts';

/** Failures that every route here can answer with. */
export const failureAnswers: Readonly<Record<number, object>> = Object.fromEntries(
  [400, 401, 403, 404, 409, 413, 415, 429, 500, 503].map((code) => [code, failureEnvelopeSchema]),
);
