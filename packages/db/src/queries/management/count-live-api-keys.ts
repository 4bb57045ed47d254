import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';

/** Keys that were not revoked. */
export async function countLiveApiKeys(trx: Kysely<Database>, companyId: string): Promise<number> {
  const row = await trx
    .selectFrom('api_keys')
    .where('company_id', '=', companyId)
    .where('revoked_at', 'is', null)
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow();
  return row.n;
}
