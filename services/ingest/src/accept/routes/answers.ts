import { failureEnvelopeSchema } from '@bandit/contracts';

/** Failures that every route here can answer with. */
export const failureAnswers: Readonly<Record<number, object>> = Object.fromEntries(
  [400, 401, 403, 404, 409, 413, 415, 429, 500, 503].map((code) => [code, failureEnvelopeSchema]),
);

export const eventExample = {
  id: 'evt_abc123',
  experimentId: 'exp_abc123',
  treatmentId: 'trt_def456',
  userId: 'user_42',
  eventType: 'CONVERSION',
  value: 29.99,
  metadata: { product: 'premium-plan', assignmentId: 'asgn_xyz789' },
  timestamp: '2026-01-15T10:35:00.000Z',
};
