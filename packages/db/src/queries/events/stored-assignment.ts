import type { AssignmentFields } from '@bandit/contracts';
import type { AssignmentSource } from '../../schema.ts';

/** An assignment on record: with the MAC key its fields give the id back (auth's codec). */
export type StoredAssignment = AssignmentFields;

/** The columns that `toStoredAssignment` reads, as the driver returns them. */
export interface StoredAssignmentRow {
  readonly company_id: string;
  readonly experiment_id: string;
  readonly treatment_id: string;
  readonly user_id: string;
  readonly nonce: Uint8Array;
  readonly assigned_at: Date;
  readonly expires_at: Date;
  readonly propensity: number | null;
  readonly confidence: number;
  readonly state_version: number;
  readonly mac_key_id: string;
  readonly source?: AssignmentSource;
}

export function toStoredAssignment(row: StoredAssignmentRow): StoredAssignment {
  return {
    companyId: row.company_id,
    experimentId: row.experiment_id,
    treatmentId: row.treatment_id,
    userId: row.user_id,
    nonce: row.nonce,
    assignedAtMs: row.assigned_at.getTime(),
    expiresAtMs: row.expires_at.getTime(),
    propensity: row.propensity ?? undefined,
    confidence: row.confidence,
    stateVersion: row.state_version,
    macKeyId: row.mac_key_id,
  };
}
