import { runService } from '@bandit/process';
import { openManagement } from './open-management.ts';

await runService(
  {
    name: 'management',
    needs: {
      stores: {
        DATABASE_URL: 'Postgres keeps experiments, funnels and people',
        NATS_URL: 'NATS tells the other processes of changes',
      },
    },
    open: openManagement,
    isSchemaOwner: true,
  },
  {
    env: process.env,
    monotonicMs: () => performance.now(),
    machineMs: () => Date.now(),
    rng: Math.random,
    process,
  },
);
