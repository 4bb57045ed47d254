import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

export interface ServingStateRow {
  readonly companyId: string;
  readonly experimentId: string;
  readonly version: number;
  /** undefined when it is larger than asked for. */
  readonly serving: Uint8Array | undefined;
  readonly updatedAtMs: number;
}

/**
 * The serving states of all companies that were written since a moment.
 *
 * @param sinceMs database time in milliseconds since the epoch
 * @param servingBytesMax larger serving states are named, not sent
 */
export async function listServingStates(
  db: Kysely<Database>,
  sinceMs: number,
  servingBytesMax: number,
): Promise<ServingStateRow[]> {
  const rows = await db
    .selectFrom('experiment_states')
    .select([
      'company_id',
      'experiment_id',
      'version',
      'updated_at',
      sql<Buffer | null>`case when octet_length(serving) <= ${servingBytesMax} then serving end`.as(
        'serving',
      ),
    ])
    .where('updated_at', '>=', sql<Date>`to_timestamp(${sinceMs}::bigint / 1000.0)`)
    .execute();
  return rows.map((row) => ({
    companyId: row.company_id,
    experimentId: row.experiment_id,
    version: row.version,
    serving: row.serving ?? undefined,
    updatedAtMs: row.updated_at.getTime(),
  }));
}
