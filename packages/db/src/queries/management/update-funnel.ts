import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Database, Row, RowChange } from '../../schema.ts';

export async function updateFunnel(
  trx: Kysely<Database>,
  companyId: string,
  funnelId: string,
  change: RowChange<'funnels'>,
): Promise<Row<'funnels'>> {
  return trx
    .updateTable('funnels')
    .set({ ...change, updated_at: sql<Date>`now()` })
    .where('company_id', '=', companyId)
    .where('id', '=', funnelId)
    .returningAll()
    .executeTakeFirstOrThrow();
}
