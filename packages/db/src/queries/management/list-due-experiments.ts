import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

export interface DueExperiment {
  readonly companyId: string;
  readonly experimentId: string;
}

/** Active and paused experiments of every company whose end has come, earliest first. */
export async function listDueExperiments(
  db: Kysely<Database>,
  nowMs: number,
  limit: number,
): Promise<DueExperiment[]> {
  const { rows } = await sql<{ company_id: string; id: string }>`
    select company_id, id from due_experiments(${new Date(nowMs)}, ${limit})`.execute(db);
  return rows.map((row) => ({ companyId: row.company_id, experimentId: row.id }));
}
