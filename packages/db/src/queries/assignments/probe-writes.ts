import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** Resolves when the database could take a write: it gives out a transaction id, which a read-only server refuses. */
export async function probeWrites(db: Kysely<Database>): Promise<void> {
  await sql`select current_batch()`.execute(db);
}
