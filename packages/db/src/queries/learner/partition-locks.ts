/** Advisory locks of one session: who learns which partition, and how many learners there are. */
import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** First half of the lock's key: any fixed number. */
const lockClass = 7_242_201;
/** Second half that every learner shares; partitions are far below it. */
const presence = 1_000_000;

export interface PartitionLocks {
  /** Learners that are there, this one included. */
  readonly nLearners: number;
  /** Partitions that some learner holds. */
  readonly held: ReadonlySet<number>;
}

/**
 * Makes this session count as a learner until it ends.
 *
 * @param silenceMsMax Postgres ends the session, and with it its locks, when it says nothing for so long: its process hangs
 */
export async function announceLearner(session: Kysely<Database>, silenceMsMax: number): Promise<void> {
  await sql`select set_config('idle_session_timeout', ${String(silenceMsMax)}, false)`.execute(session);
  await sql`select pg_advisory_lock_shared(${lockClass}, ${presence})`.execute(session);
}

export async function readPartitionLocks(session: Kysely<Database>): Promise<PartitionLocks> {
  const { rows } = await sql<{ objid: number }>`
    select objid::bigint as objid from pg_locks
    where locktype = 'advisory' and classid = ${lockClass} and objsubid = 2 and granted
      and database = (select oid from pg_database where datname = current_database())`.execute(session);
  const partitions = rows.filter((row) => row.objid !== presence).map((row) => row.objid);
  return { nLearners: rows.length - partitions.length, held: new Set(partitions) };
}

export async function tryLockPartition(session: Kysely<Database>, partition: number): Promise<boolean> {
  const { rows } = await sql<{ isLocked: boolean }>`
    select pg_try_advisory_lock(${lockClass}, ${partition}) as "isLocked"`.execute(session);
  return rows[0]?.isLocked === true;
}

export async function unlockPartition(session: Kysely<Database>, partition: number): Promise<void> {
  await sql`select pg_advisory_unlock(${lockClass}, ${partition})`.execute(session);
}

/** Makes the session one like any other again. */
export async function unlockEverything(session: Kysely<Database>): Promise<void> {
  await sql`select pg_advisory_unlock_all()`.execute(session);
  await sql`reset idle_session_timeout`.execute(session);
}
