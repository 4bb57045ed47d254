import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';

export async function countFunnels(trx: Kysely<Database>, companyId: string): Promise<number> {
  const row = await trx
    .selectFrom('funnels')
    .where('company_id', '=', companyId)
    .where('deleted_at', 'is', null)
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow();
  return row.n;
}
