/**
 * Assignment: `createAssignmentRuntime(deps)` makes what runs beside the routes (`start`, `isReady`, `close`), and
 * `buildApp({ runtime, access, findExperiment, nowMs })` the routes' plugin.
 */
export type { AssignmentFields, AssignmentIds } from './assign/assignment-ids.ts';
export {
  type AssignmentRuntime,
  type AssignmentRuntimeDeps,
  createAssignmentRuntime,
} from './assignment-runtime.ts';
export { type AssignmentAppDeps, buildApp } from './build-app.ts';
export { type AssignmentStore, createAssignmentStore } from './record/assignment-store.ts';
export type { Access } from './routes/app.ts';
