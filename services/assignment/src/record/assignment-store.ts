import {
  type CurrentAssignment,
  type CurrentAssignmentKey,
  findCurrentAssignments,
  findErasedSubjects,
  findRecordedNonces,
  type HashSubject,
  insertAssignments,
  insertSuperseded,
  type NewAssignment,
  type OpenedDatabase,
  probeWrites,
} from '@bandit/db';

/** The part of the database that recording needs. */
export interface AssignmentStore {
  /** @returns the nonces recorded by this run, in hexadecimal */
  insertAssignments(rows: readonly NewAssignment[]): Promise<ReadonlySet<string>>;
  /** Of decisions that come in after the one that followed them. @returns as `insertAssignments` */
  insertSuperseded(rows: readonly NewAssignment[]): Promise<ReadonlySet<string>>;
  findCurrentAssignments(keys: readonly CurrentAssignmentKey[]): Promise<readonly CurrentAssignment[]>;
  /** @returns those of the nonces that are on record, in hexadecimal */
  findRecordedNonces(rows: readonly NewAssignment[]): Promise<ReadonlySet<string>>;
  /** @returns places of those rows whose user was erased after they were made */
  findErased(rows: readonly NewAssignment[]): Promise<ReadonlySet<number>>;
  /** Resolves when the database could take a write. */
  probe(): Promise<void>;
}

export function createAssignmentStore(db: OpenedDatabase['db'], hashSubject: HashSubject): AssignmentStore {
  return {
    insertAssignments: (rows) => insertAssignments(db, rows, hashSubject),
    insertSuperseded: (rows) => insertSuperseded(db, rows, hashSubject),
    findCurrentAssignments: (keys) => findCurrentAssignments(db, keys),
    findRecordedNonces: (rows) => findRecordedNonces(db, rows),
    findErased: (rows) =>
      findErasedSubjects(
        db,
        rows.map((row) => ({ ...row, subject: hashSubject(row.companyId, row.userId) })),
      ),
    probe: () => probeWrites(db),
  };
}
