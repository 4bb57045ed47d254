import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Database } from '../../schema.ts';

/**
 * Serialises the management changes of one company until the transaction ends: audit numbers then have no gaps,
 * and rules such as "one control", "50 live treatments" or "the last admin" are checked against what is committed.
 * Facts do not wait for it: their foreign keys take FOR KEY SHARE, which this lock allows.
 *
 * @returns the transaction's time in milliseconds since the epoch, or undefined for an unknown company
 */
export async function lockCompany(trx: Kysely<Database>, companyId: string): Promise<number | undefined> {
  const row = await trx
    .selectFrom('companies')
    .where('id', '=', companyId)
    .select(sql<Date>`clock_timestamp()`.as('at'))
    .forNoKeyUpdate()
    .executeTakeFirst();
  return row?.at.getTime();
}
