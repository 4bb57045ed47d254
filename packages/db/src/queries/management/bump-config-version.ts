import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** @returns the company's new configuration version; processes reload when they see it */
export async function bumpConfigVersion(trx: Kysely<Database>, companyId: string): Promise<number> {
  const row = await trx
    .updateTable('companies')
    .set({ config_version: sql<number>`config_version + 1` })
    .where('id', '=', companyId)
    .returning('config_version')
    .executeTakeFirstOrThrow();
  return row.config_version;
}
