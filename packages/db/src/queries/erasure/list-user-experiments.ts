import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

export interface UserExperiments {
  readonly experimentIds: readonly string[];
  /** When the last of the assignments is over; undefined without one. */
  readonly expiresAt: Date | undefined;
}

/** Where a user has had assignments until then. */
export async function listUserExperiments(
  trx: Kysely<Database>,
  companyId: string,
  userId: string,
  until: Date,
): Promise<UserExperiments> {
  const { rows } = await sql<{ experiment_id: string; expires_at: Date }>`
    select experiment_id, max(expires_at) as expires_at from (
      select experiment_id, expires_at from assignments
      where company_id = ${companyId} and user_id = ${userId} and assigned_at <= ${until}
      union all
      select experiment_id, expires_at from current_assignments
      where company_id = ${companyId} and user_id = ${userId} and assigned_at <= ${until}
    ) a
    group by experiment_id order by experiment_id`.execute(trx);
  const lastMs = Math.max(...rows.map((row) => row.expires_at.getTime()));
  return {
    experimentIds: rows.map((row) => row.experiment_id),
    expiresAt: rows.length === 0 ? undefined : new Date(lastMs),
  };
}
