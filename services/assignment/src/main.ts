import { runService } from '@bandit/process';
import { openAssignment } from './open-assignment.ts';

await runService(
  {
    name: 'assignment',
    needs: {
      stores: {
        DATABASE_URL: 'Postgres decides who has which treatment',
        NATS_URL: 'NATS brings new states and configuration',
        REDIS_URL: 'Redis remembers assignments for all processes',
      },
      sessions: false,
    },
    open: openAssignment,
  },
  {
    env: process.env,
    monotonicMs: () => performance.now(),
    machineMs: () => Date.now(),
    rng: Math.random,
    process,
  },
);
