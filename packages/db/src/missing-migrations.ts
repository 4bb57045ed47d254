import { type Kysely, sql } from 'kysely';
import { migrations } from './migrations/index.ts';
import type { Database } from './schema.ts';
import { sqlStateOf } from './store-errors.ts';

/**
 * No such table, no right to look at it, no such role (22023, as a pool acts as its role from the first word): the schema
 * is older than the migration that makes it, or not there at all.
 */
const notYet = new Set(['42P01', '42501', '22023']);

/**
 * The migrations that this code needs and the database does not have, oldest first. A database that has more than these
 * is fine: a schema is expanded before the code that uses it comes, and contracted after the last that does has gone.
 */
export async function findMissingMigrations(db: Kysely<Database>): Promise<readonly string[]> {
  const wanted = Object.keys(migrations);
  try {
    const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db);
    const held = new Set(rows.map(({ name }) => name));
    return wanted.filter((name) => !held.has(name));
  } catch (error) {
    if (notYet.has(sqlStateOf(error) ?? '')) return wanted;
    throw error;
  }
}
