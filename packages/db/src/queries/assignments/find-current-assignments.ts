import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

export interface CurrentAssignmentKey {
  readonly companyId: string;
  readonly experimentId: string;
  readonly userId: string;
}

/** Who has what, as the database decided it. */
export interface CurrentAssignment extends CurrentAssignmentKey {
  readonly treatmentId: string;
  readonly nonce: Uint8Array;
  readonly assignedAtMs: number;
  readonly expiresAtMs: number;
  readonly propensity: number | undefined;
  readonly confidence: number;
  readonly stateVersion: number;
  readonly macKeyId: string;
}

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
  return rows.map((row) => ({
    companyId: row.company_id,
    experimentId: row.experiment_id,
    userId: row.user_id,
    treatmentId: row.treatment_id,
    nonce: row.nonce,
    assignedAtMs: row.assigned_at.getTime(),
    expiresAtMs: row.expires_at.getTime(),
    propensity: row.propensity ?? undefined,
    confidence: row.confidence,
    stateVersion: row.state_version,
    macKeyId: row.mac_key_id,
  }));
}
