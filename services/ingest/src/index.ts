/**
 * Ingest: `createAcceptRuntime(deps)` stores events and `buildApp({ runtime, access, nowMs })` is the routes' plugin on
 * it; `createLearnerRuntime(deps)` (`start`, `close`) learns from what is stored, and may run in another process.
 */
export type { AcceptResult } from './accept/accept-in-passes.ts';
export { type AcceptMetrics, createAcceptMetrics } from './accept/accept-metrics.ts';
export {
  type AcceptDeps,
  type AcceptRuntime,
  createAcceptRuntime,
} from './accept/accept-runtime.ts';
export type { AssignmentIds } from './accept/identify-event.ts';
export type { Access } from './accept/routes/app.ts';
export { buildApp, type IngestAppDeps } from './build-app.ts';
export type { LearnerLog } from './learner/learner-log.ts';
export { createLearnerMetrics, type LearnerMetrics } from './learner/learner-metrics.ts';
export { createLearnerRuntime, type LearnerDeps, type LearnerRuntime } from './learner/learner-runtime.ts';
export { openIngest } from './open-ingest.ts';
