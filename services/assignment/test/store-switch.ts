import type { TestDatabase } from '@bandit/db/testing';
import { type AssignmentStore, createAssignmentStore } from '../src/index.ts';
import { ids } from './harness.ts';

/** The real database, as far as recording needs it, behind a switch. */
export function createStoreSwitch(db: TestDatabase['db']) {
  const real = createAssignmentStore(db, ids.hashSubject);
  let isAway = false;
  let gate: Promise<void> | undefined;
  let losesAnswers = false;
  const behind =
    <A extends unknown[], R>(work: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await gate;
      if (isAway) throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' });
      const result = await work(...args);
      if (losesAnswers) throw Object.assign(new Error('lost'), { code: 'ECONNRESET' });
      return result;
    };
  const switched: AssignmentStore = {
    insertAssignments: behind(real.insertAssignments),
    insertSuperseded: behind(real.insertSuperseded),
    findCurrentAssignments: behind(real.findCurrentAssignments),
    findErased: behind(real.findErased),
    findRecordedNonces: behind(real.findRecordedNonces),
    probe: behind(real.probe),
  };
  return {
    store: switched,
    setAway: (away: boolean) => {
      isAway = away;
    },
    setLosesAnswers: (loses: boolean) => {
      losesAnswers = loses;
    },
    hang: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return () => {
        gate = undefined;
        resolve();
      };
    },
  };
}
