import type { Results } from '@bandit/contracts';

const method = { name: 'successes / trials', kind: 'exact', assumes: 'nothing: a count' } as const;

/** Of the generated API description; a real answer names each method. */
export const resultsExample: Results = {
  experimentId: 'exp_abc123',
  status: 'active',
  algorithm: 'THOMPSON_SAMPLING',
  reward: 'binary',
  attributionWindow: 0,
  level: 0.95,
  treatments: [
    {
      id: 'trt_def456',
      name: 'Urgency',
      isControl: false,
      isRemoved: false,
      trials: 1_000,
      conversions: 52,
      matured: 1_000,
      pending: 0,
      late: 0,
      rewardSum: 52,
      rewardMean: 0.052,
      interval: { lower: 0.031, upper: 0.08 },
      probabilityBest: 0.91,
      expectedLoss: 0.0006,
      currentProbability: 0.88,
    },
  ],
  totals: {
    trials: 1_000,
    conversions: 52,
    matured: 1_000,
    pending: 0,
    late: 0,
    rewardSum: 52,
    rewardMean: 0.052,
  },
  winner: {
    isDeclared: false,
    leaderId: 'trt_def456',
    logEvidence: 0.4,
    logThreshold: 3,
    statement: '"Urgency" leads, but the evidence is not enough to call it the winner.',
    method,
  },
  winnerIfRatesConstant: null,
  state: { version: 42, trials: 1_000, updatedAt: '2026-01-15T10:29:59.800Z', ageMs: 200 },
  methods: { rewardMean: method, interval: method, probabilityBest: method, expectedLoss: method },
};
