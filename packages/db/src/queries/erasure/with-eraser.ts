import { type Kysely, sql, type Transaction } from 'kysely';
import type { Database } from '../../schema.ts';

/**
 * As `withCompany`, but acting as bandit_eraser: the one role that may change and delete what is kept about an end user,
 * of one company at a time.
 *
 * @throws whatever `work` throws, after rolling back
 */
export async function withEraser<T>(
  db: Kysely<Database>,
  companyId: string,
  work: (trx: Transaction<Database>) => Promise<T>,
): Promise<T> {
  if (companyId === '') throw new Error('withEraser needs a company id, got an empty one');
  return db.transaction().execute(async (trx) => {
    await sql`select set_config('app.company_id', ${companyId}, true), set_config('role', 'bandit_eraser', true)`.execute(
      trx,
    );
    return work(trx);
  });
}
