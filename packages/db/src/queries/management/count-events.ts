import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** Assignments and events of one experiment together; index-only where the visibility map allows it. */
export async function countEvents(
  trx: Kysely<Database>,
  companyId: string,
  experimentId: string,
): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select (select count(*) from assignments where company_id = ${companyId} and experiment_id = ${experimentId})
      + (select count(*) from events where company_id = ${companyId} and experiment_id = ${experimentId}) as n`.execute(
    trx,
  );
  return rows[0]?.n ?? 0;
}
