import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** An end user, and when the assignment was made that somebody speaks of. */
export interface SubjectMoment {
  readonly companyId: string;
  /** Keyed hash of company and user id. */
  readonly subject: Uint8Array;
  readonly assignedAtMs: number;
}

/**
 * Which of these were erased at that moment or later. In a transaction that writes, ask after its first number
 * (`current_batch()`): whoever erases waits for transactions that have one, and is seen by the others.
 *
 * @returns places in `moments`
 */
export async function findErasedSubjects(
  db: Kysely<Database>,
  moments: readonly SubjectMoment[],
): Promise<ReadonlySet<number>> {
  const { rows } = await sql<{ place: number }>`
    select m.place::integer as place
    from unnest(${moments.map(({ companyId }) => companyId)}::text[],
      ${moments.map(({ subject }) => Buffer.from(subject))}::bytea[],
      ${moments.map(({ assignedAtMs }) => assignedAtMs)}::bigint[])
      with ordinality m(company_id, subject, assigned_ms, place)
    join erased_subjects e on e.company_id = m.company_id and e.subject = m.subject
    where to_timestamp(m.assigned_ms / 1000.0) <= e.erased_at`.execute(db);
  return new Set(rows.map(({ place }) => place - 1));
}
