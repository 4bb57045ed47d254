import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';

export async function deleteMember(trx: Kysely<Database>, companyId: string, id: string): Promise<void> {
  await trx.deleteFrom('members').where('company_id', '=', companyId).where('id', '=', id).execute();
}
