import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/**
 * Over all tenants: only the launcher asks, to tell an empty database. By a function, as a login that row-level security
 * holds back would count none and make a first company again.
 */
export async function countCompanies(db: Kysely<Database>): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count_companies() as n`.execute(db);
  return (rows[0] as { n: number }).n;
}
