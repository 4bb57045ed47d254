import { assignmentSchema, failureEnvelopeSchema, successEnvelope } from '@bandit/contracts';

const example = {
  success: true,
  data: {
    assignmentId: 'asgn_xyz789',
    experimentId: 'exp_abc123',
    treatment: {
      id: 'trt_def456',
      name: 'Headline B',
      config: { content: 'Start your free trial today' },
    },
    confidence: 0.87,
  },
  timestamp: '2026-01-15T10:30:00.000Z',
};

/** Response schemas of both assignment routes; loosely typed, as what is sent is JSON text already. */
export const assignmentAnswers: Readonly<Record<number, object>> = {
  200: {
    ...successEnvelope(assignmentSchema),
    description: 'Assignment returned successfully',
    headers: {
      'x-recorded': {
        type: 'string',
        enum: ['false'],
        description: 'Present while the assignment is not on record yet: the database is away.',
      },
    },
    examples: [example],
  },
  ...Object.fromEntries(
    [400, 401, 403, 404, 413, 415, 429, 500, 503].map((code) => [code, failureEnvelopeSchema]),
  ),
};
