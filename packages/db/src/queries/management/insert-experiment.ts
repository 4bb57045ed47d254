import type { Kysely } from 'kysely';
import type { Database, NewRow } from '../../schema.ts';
import type { ExperimentRow } from './experiment-row.ts';

export async function insertExperiment(
  trx: Kysely<Database>,
  experiment: NewRow<'experiments'>,
): Promise<ExperimentRow> {
  return trx.insertInto('experiments').values(experiment).returningAll().executeTakeFirstOrThrow();
}
