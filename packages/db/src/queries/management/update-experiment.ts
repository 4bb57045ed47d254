import type { Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Database, RowChange } from '../../schema.ts';
import type { ExperimentRow } from './experiment-row.ts';

export async function updateExperiment(
  trx: Kysely<Database>,
  companyId: string,
  experimentId: string,
  change: RowChange<'experiments'>,
): Promise<ExperimentRow> {
  return trx
    .updateTable('experiments')
    .set({ ...change, updated_at: sql<Date>`now()` })
    .where('company_id', '=', companyId)
    .where('id', '=', experimentId)
    .returningAll()
    .executeTakeFirstOrThrow();
}
