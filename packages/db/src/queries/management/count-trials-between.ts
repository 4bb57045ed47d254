import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** How far receipt may lie from assignment for a trial to be found: clocks before, restored ids after. */
const receiptBeforeMs = 60_000;
const receiptAfterMs = 3_600_000;

/**
 * Assignments of an experiment made in (afterMs, beforeMs), per treatment id. Read by time of receipt, so at most a
 * day's rows when the two lie a day apart; a trial restored more than an hour late is not found.
 */
export async function countTrialsBetween(
  trx: Kysely<Database>,
  companyId: string,
  experimentId: string,
  afterMs: number,
  beforeMs: number,
): Promise<Map<string, number>> {
  const rows = await trx
    .selectFrom('assignments')
    .where('company_id', '=', companyId)
    .where('experiment_id', '=', experimentId)
    .where('recorded_at', '>', new Date(afterMs - receiptBeforeMs))
    .where('recorded_at', '<', new Date(beforeMs + receiptAfterMs))
    .where('assigned_at', '>', new Date(afterMs))
    .where('assigned_at', '<', new Date(beforeMs))
    .select(['treatment_id', sql<number>`count(*)`.as('n')])
    .groupBy('treatment_id')
    .execute();
  return new Map(rows.map((row) => [row.treatment_id, row.n]));
}
