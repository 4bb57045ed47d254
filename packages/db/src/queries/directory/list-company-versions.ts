import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';

/** Every company with the version its configuration has reached. */
export function listCompanyVersions(
  db: Kysely<Database>,
): Promise<Array<{ companyId: string; version: number }>> {
  return db.selectFrom('companies').select(['id as companyId', 'config_version as version']).execute();
}
