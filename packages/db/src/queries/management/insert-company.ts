import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';

/** @returns false when a company of that id is there already, or another transaction has just made it */
export async function insertCompany(
  trx: Kysely<Database>,
  company: { readonly id: string; readonly name: string },
): Promise<boolean> {
  const row = await trx
    .insertInto('companies')
    .values(company)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}
