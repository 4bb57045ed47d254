import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

export interface ErasedSubject {
  readonly companyId: string;
  readonly subject: Uint8Array;
  readonly erasedAtMs: number;
  readonly changedAtMs: number;
}

/**
 * End users of all companies that were erased, the latest first; pseudonyms are not among them.
 *
 * @param sinceMs database time; those whose tombstone was written or changed since
 */
export async function listErasedSubjects(
  db: Kysely<Database>,
  sinceMs: number,
  limit: number,
): Promise<ErasedSubject[]> {
  const { rows } = await sql<{ company_id: string; subject: Buffer; erased_at: Date; changed_at: Date }>`
    select company_id, subject, erased_at, changed_at from erased_subjects
    where changed_at >= to_timestamp(${sinceMs}::bigint / 1000.0) and isfinite(erased_at)
    order by changed_at desc limit ${limit}`.execute(db);
  return rows.map((row) => ({
    companyId: row.company_id,
    subject: row.subject,
    erasedAtMs: row.erased_at.getTime(),
    changedAtMs: row.changed_at.getTime(),
  }));
}
