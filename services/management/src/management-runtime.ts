import { createScheduler, type SchedulerDeps } from './scheduler/scheduler.ts';

export interface ManagementRuntime {
  start(): void;
  /** Stops looking for due experiments; waits for a running look. */
  close(): Promise<void>;
}

/** What management does between requests: completing experiments whose end has come. */
export function createManagementRuntime(deps: SchedulerDeps): ManagementRuntime {
  const scheduler = createScheduler(deps);
  return { start: () => scheduler.start(), close: () => scheduler.close() };
}
