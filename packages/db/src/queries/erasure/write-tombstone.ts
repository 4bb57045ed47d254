import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

export interface Tombstone {
  readonly erasedAt: Date;
  /** Number of the transaction that wrote it. */
  readonly xid: string;
}

/** From the commit on, whoever writes a fact of before this moment about the subject finds it. */
export async function writeTombstone(
  trx: Kysely<Database>,
  companyId: string,
  subject: Uint8Array,
): Promise<Tombstone> {
  const { rows } = await sql<{ erased_at: Date; xid: string }>`
    insert into erased_subjects (company_id, subject, erased_at)
    values (${companyId}, ${Buffer.from(subject)}, date_trunc('milliseconds', clock_timestamp()))
    on conflict (company_id, subject) do update set erased_at = greatest(erased_subjects.erased_at, excluded.erased_at),
      changed_at = clock_timestamp()
    returning erased_at, pg_current_xact_id()::text as xid`.execute(trx);
  return { erasedAt: rows[0]!.erased_at, xid: rows[0]!.xid };
}

/** Have all transactions ended that had a number before the one of `xid` was committed? */
export async function areWritersSettled(db: Kysely<Database>, xid: string): Promise<boolean> {
  const { rows } = await sql<{ is_settled: boolean }>`
    select pg_snapshot_xmin(pg_current_snapshot()) > ${xid}::xid8 as is_settled`.execute(db);
  return rows[0]!.is_settled;
}

/** Nothing may come in about a pseudonym, ever: an assignment id made again from a row that has it is no assignment. */
export async function writePseudonym(
  trx: Kysely<Database>,
  companyId: string,
  subject: Uint8Array,
): Promise<void> {
  await sql`
    insert into erased_subjects (company_id, subject, erased_at) values (${companyId}, ${Buffer.from(subject)}, 'infinity')
    on conflict do nothing`.execute(trx);
}

/** Gives the transaction a number: for `areWritersSettled`. */
export async function readTransactionNumber(trx: Kysely<Database>): Promise<{ xid: string }> {
  const { rows } = await sql<{ xid: string }>`select pg_current_xact_id()::text as xid`.execute(trx);
  return rows[0]!;
}
