import type { Kysely } from 'kysely';
import type { Database, Row } from '../../schema.ts';

export type ServingState = Pick<Row<'experiment_states'>, 'version' | 'n_trials' | 'serving' | 'updated_at'>;

/** What is served now; undefined while nothing was learned. */
export async function findServingState(
  trx: Kysely<Database>,
  companyId: string,
  experimentId: string,
): Promise<ServingState | undefined> {
  return trx
    .selectFrom('experiment_states')
    .where('company_id', '=', companyId)
    .where('experiment_id', '=', experimentId)
    .select(['version', 'n_trials', 'serving', 'updated_at'])
    .executeTakeFirst();
}
