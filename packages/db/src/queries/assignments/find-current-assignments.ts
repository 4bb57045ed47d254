import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';
import { type StoredAssignment, toStoredAssignment } from '../events/stored-assignment.ts';

export interface CurrentAssignmentKey {
  readonly companyId: string;
  readonly experimentId: string;
  readonly userId: string;
}

/** Who has what, as the database decided it. */
export type CurrentAssignment = StoredAssignment;

/** The current assignments of these users, in any order; expired ones too. Users without one are left out. */
export async function findCurrentAssignments(
  db: Kysely<Database>,
  keys: readonly CurrentAssignmentKey[],
): Promise<CurrentAssignment[]> {
  const wanted = sql`unnest(${keys.map((key) => key.companyId)}::text[],
    ${keys.map((key) => key.experimentId)}::text[], ${keys.map((key) => key.userId)}::text[])`;
  const rows = await db
    .selectFrom('current_assignments')
    .selectAll()
    .where(sql<boolean>`(company_id, experiment_id, user_id) in (select * from ${wanted})`)
    .execute();
  return rows.map(toStoredAssignment);
}
