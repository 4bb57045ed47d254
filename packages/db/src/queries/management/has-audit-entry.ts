import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';

const newestRows = 1_000;

/** True when one of the company's newest audit rows has this id. */
export async function hasAuditEntry(trx: Kysely<Database>, companyId: string, id: string): Promise<boolean> {
  const rows = await trx
    .selectFrom('audit_log')
    .where('company_id', '=', companyId)
    .select('id')
    .orderBy('seq', 'desc')
    .limit(newestRows)
    .execute();
  return rows.some((row) => row.id === id);
}
