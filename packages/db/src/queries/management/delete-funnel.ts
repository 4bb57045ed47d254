import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** Soft: the rewards it brought, and their events, go on naming it. */
export async function deleteFunnel(
  trx: Kysely<Database>,
  companyId: string,
  funnelId: string,
): Promise<void> {
  await trx
    .updateTable('funnels')
    .set({ deleted_at: sql<Date>`now()` })
    .where('company_id', '=', companyId)
    .where('id', '=', funnelId)
    .where('deleted_at', 'is', null)
    .execute();
}
