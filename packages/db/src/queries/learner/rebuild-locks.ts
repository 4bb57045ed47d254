/** Advisory locks of one session: which experiments are being rebuilt, by any learner of the database. */
import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';
import type { ExperimentKey } from './learner-experiments.ts';

/** First half of the lock's key: any fixed number. Two experiments whose names hash alike only wait for each other. */
const lockClass = 7_242_202;

const nameOf = ({ companyId, experimentId }: ExperimentKey) => `${companyId}/${experimentId}`;

/** @returns false while another session holds it */
export async function tryLockRebuild(session: Kysely<Database>, key: ExperimentKey): Promise<boolean> {
  const { rows } = await sql<{ isLocked: boolean }>`
    select pg_try_advisory_lock(${lockClass}, hashtext(${nameOf(key)})) as "isLocked"`.execute(session);
  return rows[0]?.isLocked === true;
}

export async function unlockRebuild(session: Kysely<Database>, key: ExperimentKey): Promise<void> {
  await sql`select pg_advisory_unlock(${lockClass}, hashtext(${nameOf(key)}))`.execute(session);
}
