/**
 * A process of the platform. A service registers itself on a `ProcessContext`; `runService(program, surroundings)` runs
 * one alone, and `openProcess(options)` is for a launcher that puts several into one process.
 */
export { actorOf, callerIdOf } from './access/caller-id.ts';
export { openSessions } from './access/open-sessions.ts';
export { assignmentSecretOf } from './assignment-secret.ts';
export { closeWithGrace } from './close-with-grace.ts';
export {
  type AssignmentIdsOptions,
  type LiveAssignmentIds,
  openAssignmentIds,
} from './database/assignment-ids.ts';
export { type DatabaseTarget, type PoolName, type Pools, poolSettings } from './database/open-pools.ts';
export { type PrepareOptions, prepareDatabase } from './database/prepare-database.ts';
export { createRetentionTask, type RetentionTaskOptions } from './database/retention-task.ts';
export { startUpkeep, type Upkeep, type UpkeepOptions } from './database/upkeep.ts';
export { DatabaseNotReadyError } from './database/wait-for-database.ts';
export { deriveFallbackKey } from './fallback-key.ts';
export type { GeneratedSecrets } from './generated-secrets.ts';
export { createLateAssignments, type LateAssignments } from './late-assignments.ts';
export type { Address } from './listen.ts';
export { createLogger } from './logger.ts';
export { type OpenedProcess, openProcess, type ProcessOptions } from './open-process.ts';
export type { ProcessContext } from './process-context.ts';
export { runService, type ServiceProgram, type Surroundings } from './run-service.ts';
export { type OpenedCache, openCache } from './stores/open-cache.ts';
export { writeLines } from './write-lines.ts';
