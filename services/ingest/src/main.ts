import { runService } from '@bandit/process';
import { openIngest } from './open-ingest.ts';

await runService(
  {
    name: 'ingest',
    needs: {
      stores: {
        DATABASE_URL: 'Postgres keeps the events and what is learned',
        NATS_URL: 'NATS carries wake-ups, states and events',
      },
      sessions: false,
    },
    open: openIngest,
    isLearnerOnly: ({ ingestParts }) => !ingestParts.includes('accept'),
  },
  {
    env: process.env,
    monotonicMs: () => performance.now(),
    machineMs: () => Date.now(),
    rng: Math.random,
    process,
  },
);
