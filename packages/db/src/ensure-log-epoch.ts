import { type Kysely, sql } from 'kysely';
import type { Database } from './schema.ts';

/**
 * Called once by every process that writes facts, before its first write: when the newest batch lies at or past this
 * server's transaction counter (a dump restored into a fresh cluster), the log enters its next epoch.
 *
 * @returns the epoch now in force
 */
export async function ensureLogEpoch(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ epoch: number }>`select ensure_log_epoch() as epoch`.execute(db);
  return (rows[0] as { epoch: number }).epoch;
}
