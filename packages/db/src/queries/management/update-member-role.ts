import type { MemberRole } from '@bandit/contracts';
import type { Kysely } from 'kysely';
import type { Database, Row } from '../../schema.ts';

export async function updateMemberRole(
  trx: Kysely<Database>,
  companyId: string,
  id: string,
  role: MemberRole,
): Promise<Row<'members'>> {
  return trx
    .updateTable('members')
    .set({ role })
    .where('company_id', '=', companyId)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
}
