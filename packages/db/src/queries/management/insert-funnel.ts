import type { Kysely } from 'kysely';
import type { Database, NewRow, Row } from '../../schema.ts';

/** @param experimentIds in the order of the funnel's steps, all of this company */
export async function insertFunnel(
  trx: Kysely<Database>,
  funnel: NewRow<'funnels'>,
  experimentIds: readonly string[],
): Promise<Row<'funnels'>> {
  const row = await trx.insertInto('funnels').values(funnel).returningAll().executeTakeFirstOrThrow();
  const steps = experimentIds.map((experimentId, position) => ({
    company_id: row.company_id,
    funnel_id: row.id,
    position,
    experiment_id: experimentId,
  }));
  await trx.insertInto('funnel_experiments').values(steps).execute();
  return row;
}
