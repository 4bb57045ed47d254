import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';

/** The newest serving state of an experiment; undefined while nothing has been learned. */
export async function loadServingState(
  db: Kysely<Database>,
  companyId: string,
  experimentId: string,
): Promise<{ version: number; serving: Uint8Array } | undefined> {
  return await db
    .selectFrom('experiment_states')
    .select(['version', 'serving'])
    .where('company_id', '=', companyId)
    .where('experiment_id', '=', experimentId)
    .executeTakeFirst();
}
