import type { Kysely } from 'kysely';
import type { Database, Row } from '../../schema.ts';

/** Oldest first. */
export async function listMembers(trx: Kysely<Database>, companyId: string): Promise<Row<'members'>[]> {
  return trx
    .selectFrom('members')
    .where('company_id', '=', companyId)
    .selectAll()
    .orderBy('created_at')
    .orderBy('id')
    .execute();
}
