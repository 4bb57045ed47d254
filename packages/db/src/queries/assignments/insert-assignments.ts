import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** Keyed hash of company and user id, by which erased users are known. */
export type HashSubject = (companyId: string, userId: string) => Uint8Array;

/** One decision as it goes on record. */
export interface NewAssignment {
  readonly companyId: string;
  readonly experimentId: string;
  readonly treatmentId: string;
  readonly partition: number;
  readonly userId: string;
  /** 16 random bytes: the identity. The same decision again carries the same nonce. */
  readonly nonce: Uint8Array;
  /** Whole milliseconds since the epoch, database time. */
  readonly assignedAtMs: number;
  readonly expiresAtMs: number;
  readonly propensity: number;
  readonly confidence: number;
  readonly stateVersion: number;
  readonly predictions: readonly number[] | undefined;
  readonly context: Readonly<Record<string, string | number | boolean>> | undefined;
  readonly macKeyId: string;
  /** False with ttl 0: the row becomes nobody's current assignment. */
  readonly isSticky: boolean;
  /** Nonce of the current assignment that no longer counts because its treatment was removed. */
  readonly droppedNonce: Uint8Array | undefined;
}

/**
 * One statement for all decisions that wait. A sticky one is recorded if its user has no current assignment, or one
 * that expired or was dropped, and becomes the current one; any other one is recorded unless an unexpired current
 * assignment stands in its way. Rows not recorded lost to a current assignment, were recorded by an earlier run, or are
 * of a user who was erased since they were made.
 *
 * @param rows at least one; a (company, experiment, user) at most once among the sticky ones
 * @param hashSubject left out: nobody looks whether a user was erased
 * @returns the nonces recorded by this run, in hexadecimal
 */
export async function insertAssignments(
  db: Kysely<Database>,
  rows: readonly NewAssignment[],
  hashSubject?: HashSubject,
): Promise<ReadonlySet<string>> {
  const subjects = hashSubject ? rows.map((row) => Buffer.from(hashSubject(row.companyId, row.userId))) : [];
  const decided = await recordAll(db, rows, subjects);
  const erased = new Set(decided.filter((row) => row.is_erased).map((row) => row.decided_nonce));
  if (erased.size === 0) return new Set(decided.map((row) => row.decided_nonce));
  const left = rows.filter((row) => !erased.has(Buffer.from(row.nonce).toString('hex')));
  return left.length === 0 ? new Set() : insertAssignments(db, left, hashSubject);
}

/** All are recorded, as far as they may; or none, where some are of erased users. */
async function recordAll(db: Kysely<Database>, rows: readonly NewAssignment[], subjects: readonly Buffer[]) {
  const dropped = rows.flatMap(({ droppedNonce }) => (droppedNonce ? [Buffer.from(droppedNonce)] : []));
  const decided = await sql<{ decided_nonce: string; is_erased: boolean }>`
    select decided_nonce, is_erased from record_assignments_v2(
      ${column(rows, (row) => row.companyId)}, ${column(rows, (row) => row.experimentId)},
      ${column(rows, (row) => row.treatmentId)}, ${column(rows, (row) => row.partition)},
      ${column(rows, (row) => row.userId)}, ${column(rows, (row) => Buffer.from(row.nonce))},
      ${column(rows, (row) => row.assignedAtMs)}, ${column(rows, (row) => row.expiresAtMs)},
      ${column(rows, (row) => row.propensity)}, ${column(rows, (row) => row.confidence)},
      ${column(rows, (row) => row.stateVersion)}, ${column(rows, arrayText)},
      ${column(rows, (row) => row.context && JSON.stringify(row.context))},
      ${column(rows, (row) => row.macKeyId)}, ${column(rows, (row) => row.isSticky)}, ${dropped},
      ${subjects})`.execute(db);
  return decided.rows;
}

function column<T>(rows: readonly NewAssignment[], read: (row: NewAssignment) => T): Array<T | null> {
  return rows.map((row) => read(row) ?? null);
}

/** As an array literal: unnest would flatten arrays of arrays. */
function arrayText({ predictions }: NewAssignment): string | undefined {
  return predictions && `{${predictions.join(',')}}`;
}
