import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';

export async function countExperiments(trx: Kysely<Database>, companyId: string): Promise<number> {
  const row = await trx
    .selectFrom('experiments')
    .where('company_id', '=', companyId)
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow();
  return row.n;
}
