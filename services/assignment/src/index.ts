/**
 * Assignment: `createAssignmentRuntime(deps)` makes what runs beside the routes (`start`, `isReady`, `close`), and
 * `buildApp({ runtime, keyGuard, findExperiment, nowMs })` the routes' plugin.
 */
export {
  type AssignmentRuntime,
  type AssignmentRuntimeDeps,
  createAssignmentRuntime,
} from './assignment-runtime.ts';
export { type AssignmentAppDeps, buildApp } from './build-app.ts';
export { openAssignment } from './open-assignment.ts';
export { type AssignmentStore, createAssignmentStore } from './record/assignment-store.ts';
