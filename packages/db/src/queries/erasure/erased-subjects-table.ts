import type { Generated } from 'kysely';

/** Tombstones: of a subject, nothing of before `erased_at` may come in any more. */
export interface ErasedSubjectsTable {
  company_id: string;
  /** Keyed hash of company and user id. */
  subject: Uint8Array;
  /** 'infinity' for a pseudonym. */
  erased_at: Date;
  changed_at: Generated<Date>;
}
