import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';
import { findErasedSubjects } from '../erasure/find-erased-subjects.ts';
import type { HashSubject, NewAssignment } from './insert-assignments.ts';

/**
 * Decisions that were answered while the database was away and come in after the one that followed them: they were
 * rightly given, so they are trials, but nobody's current assignment and not their user's first on record.
 *
 * @param rows at least one; those on record already change nothing
 * @returns the nonces recorded by this run, in hexadecimal
 */
export async function insertSuperseded(
  db: Kysely<Database>,
  rows: readonly NewAssignment[],
  hashSubject: HashSubject,
): Promise<ReadonlySet<string>> {
  return db.transaction().execute(async (trx) => {
    // The transaction's number comes before the look for erased users.
    await sql`select current_batch()`.execute(trx);
    const moments = rows.map((row) => ({ ...row, subject: hashSubject(row.companyId, row.userId) }));
    const erased = await findErasedSubjects(trx, moments);
    const left = rows.filter((_, place) => !erased.has(place));
    return left.length === 0 ? new Set<string>() : insertAll(trx, left);
  });
}

async function insertAll(db: Kysely<Database>, rows: readonly NewAssignment[]): Promise<ReadonlySet<string>> {
  const recorded = await db
    .with('recorded', (qb) =>
      qb
        .insertInto('assignments')
        .values(rows.map(toAssignmentRow))
        .onConflict((conflict) => conflict.doNothing())
        .returning(['nonce', 'partition']),
    )
    .with('counted', (qb) =>
      qb
        .insertInto('fact_batches')
        .columns(['partition', 'batch', 'n_assignments'])
        .expression((eb) =>
          eb
            .selectFrom('recorded')
            .select(['partition', sql<number>`current_batch()`.as('batch'), sql<number>`count(*)`.as('n')])
            .groupBy('partition'),
        ),
    )
    .selectFrom('recorded')
    .select(sql<string>`encode(nonce, 'hex')`.as('nonce'))
    .execute();
  return new Set(recorded.map(({ nonce }) => nonce));
}

function toAssignmentRow(row: NewAssignment, position: number) {
  return {
    company_id: row.companyId,
    experiment_id: row.experimentId,
    treatment_id: row.treatmentId,
    nonce: Buffer.from(row.nonce),
    user_id: row.userId,
    assigned_at: new Date(row.assignedAtMs),
    expires_at: new Date(row.expiresAtMs),
    propensity: row.propensity,
    confidence: row.confidence,
    state_version: row.stateVersion,
    predictions: row.predictions ? [...row.predictions] : null,
    context: row.context ? JSON.stringify(row.context) : null,
    source: 'draw' as const,
    mac_key_id: row.macKeyId,
    is_first: false,
    partition: row.partition,
    position,
  };
}
