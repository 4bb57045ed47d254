export { findErasedSubjects, type SubjectMoment } from './find-erased-subjects.ts';
export { type ErasedSubject, listErasedSubjects } from './list-erased-subjects.ts';
export { listUserExperiments, type UserExperiments } from './list-user-experiments.ts';
export { type ErasureSeal, listSealable, sealExperiment } from './seal-experiments.ts';
export {
  type ErasedCounts,
  type ErasedUser,
  type Sweep,
  sweepClientMadeKeys,
  sweepUser,
} from './sweep-user.ts';
export { withEraser } from './with-eraser.ts';
export {
  areWritersSettled,
  readTransactionNumber,
  type Tombstone,
  writePseudonym,
  writeTombstone,
} from './write-tombstone.ts';
