import type { Kysely } from 'kysely';
import type { Database, Row } from '../../schema.ts';

/** Newest first. */
export async function listAuditEntries(
  trx: Kysely<Database>,
  companyId: string,
  page: { readonly limit: number; readonly offset: number },
): Promise<{ rows: Row<'audit_log'>[]; total: number }> {
  const rows = await trx
    .selectFrom('audit_log')
    .where('company_id', '=', companyId)
    .selectAll()
    .orderBy('seq', 'desc')
    .limit(page.limit)
    .offset(page.offset)
    .execute();
  const newest = await trx
    .selectFrom('audit_log')
    .where('company_id', '=', companyId)
    .select((eb) => eb.fn.max('seq').as('seq'))
    .executeTakeFirst();
  // seq has no gaps, so the highest is the count.
  return { rows, total: newest?.seq ?? 0 };
}
