import { type Kysely, sql, type Transaction } from 'kysely';
import type { Database } from './schema.ts';

/**
 * Runs `work` in one transaction that sees and writes rows of one company only: the transaction acts as bandit_app,
 * and row-level security compares every row with app.company_id. Both end with the transaction.
 *
 * @throws whatever `work` throws, after rolling back
 */
export async function withCompany<T>(
  db: Kysely<Database>,
  companyId: string,
  work: (trx: Transaction<Database>) => Promise<T>,
): Promise<T> {
  if (companyId === '') throw new Error('withCompany needs a company id, got an empty one');
  return db.transaction().execute(async (trx) => {
    // set_config(…, true) is SET LOCAL; one round trip for both.
    await sql`select set_config('app.company_id', ${companyId}, true), set_config('role', 'bandit_app', true)`.execute(
      trx,
    );
    return work(trx);
  });
}
