import { createDatabaseClock, type DatabaseClock, type OpenedDatabase } from '@bandit/db';
import { openKeys } from './access/open-keys.ts';
import { assignmentSecretOf } from './assignment-secret.ts';
import { openAssignmentIds } from './database/assignment-ids.ts';
import { openPools } from './database/open-pools.ts';
import { createLateAssignments } from './late-assignments.ts';
import { openDirectory } from './open-directory.ts';
import type { ProcessOptions } from './open-process.ts';
import type { ProcessContext } from './process-context.ts';
import { openBus } from './stores/open-bus.ts';

const clockPollMs = 1_000;

type Owns = ProcessContext['owns'];

export interface OpenedParts {
  readonly parts: Pick<
    ProcessContext,
    'pools' | 'bus' | 'records' | 'lateAssignments' | 'ids' | 'directory' | 'keys'
  >;
  /** The pool that clock, configuration and keys are read with. */
  readonly shared: OpenedDatabase['db'];
  readonly clock: DatabaseClock;
}

/** What every service stands on. None of it needs its store to be there yet. */
export function openParts(options: ProcessOptions, owns: Owns): OpenedParts {
  const { service, config, generated, log, monotonicMs, machineMs, rng } = options;
  const { target, isLearnerOnly = false } = options;
  const pools = openPools({ target, managementMax: config.databasePoolMax, isLearnerOnly, log });
  owns('database', pools.close);
  const shared = pools.open('shared');
  const clock = createDatabaseClock({
    db: shared,
    monotonicMs,
    pollMs: clockPollMs,
    startMs: machineMs(),
    log,
  });
  owns('clock', clock.close);
  const { nowMs } = clock;
  const { bus, records, close: closeBus } = openBus(config, `bandit ${service}`, log, rng);
  owns('bus', closeBus);
  const secret = assignmentSecretOf(config, generated);
  const ids = openAssignmentIds({ db: shared, secret, nowMs, log });
  owns('assignment ids', ids.close);
  const directory = openDirectory({ db: shared, bus, nowMs, log });
  owns('directory', directory.close);
  const keys = openKeys({ db: shared, directory, nowMs, log, owns });
  const lateAssignments = records && createLateAssignments(records, clock.sinceTroubleMs);
  return { parts: { pools, bus, records, lateAssignments, ids, directory, keys }, shared, clock };
}
