import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** Renews the planner's statistics: the embedded database has no autovacuum to do it. */
export async function analyzeTables(db: Kysely<Database>): Promise<void> {
  await sql`analyze`.execute(db);
}
