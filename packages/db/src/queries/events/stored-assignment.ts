import type { AssignmentSource } from '../../schema.ts';

/** An assignment as its id describes it: with the MAC key these fields give the id back (auth's codec). */
export interface StoredAssignment {
  readonly companyId: string;
  readonly experimentId: string;
  readonly treatmentId: string;
  readonly userId: string;
  /** 16 bytes: the identity. */
  readonly nonce: Uint8Array;
  readonly assignedAtMs: number;
  readonly expiresAtMs: number;
  /** Exact probability of the draw; undefined for a client-made trial. */
  readonly propensity: number | undefined;
  readonly confidence: number;
  readonly stateVersion: number;
  readonly macKeyId: string;
}

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
