export {
  type CurrentAssignment,
  type CurrentAssignmentKey,
  findCurrentAssignments,
} from './find-current-assignments.ts';
export { findRecordedNonces } from './find-recorded-nonces.ts';
export { type HashSubject, insertAssignments, type NewAssignment } from './insert-assignments.ts';
export { insertSuperseded } from './insert-superseded.ts';
export { listServingStates, type ServingStateRow } from './list-serving-states.ts';
export { loadServingState } from './load-serving-state.ts';
export { probeWrites } from './probe-writes.ts';
