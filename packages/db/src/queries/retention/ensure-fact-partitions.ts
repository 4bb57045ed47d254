import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/**
 * Makes the monthly partitions of assignments and events from the current month on. Run by management at start and
 * daily; a month that is missed is caught by the default partition.
 *
 * @param monthsAhead 0 … 24: how many months after the current one
 */
export async function ensureFactPartitions(db: Kysely<Database>, monthsAhead: number): Promise<void> {
  if (!Number.isInteger(monthsAhead) || monthsAhead < 0 || monthsAhead > 24)
    throw new RangeError(`monthsAhead must be an integer from 0 to 24, got ${monthsAhead}`);
  await sql`select ensure_fact_partitions(${monthsAhead}::integer)`.execute(db);
}
