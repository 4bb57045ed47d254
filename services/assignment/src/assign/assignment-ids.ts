/** What an assignment id says and proves. */
export interface AssignmentFields {
  readonly companyId: string;
  readonly experimentId: string;
  readonly treatmentId: string;
  readonly userId: string;
  readonly nonce: Uint8Array;
  readonly assignedAtMs: number;
  readonly expiresAtMs: number;
  readonly propensity: number | undefined;
  readonly confidence: number;
  readonly stateVersion: number;
  readonly macKeyId: string;
}

/** The id codec of @bandit/auth, as this service uses it. */
export interface AssignmentIds {
  readonly currentKeyId: string;
  /** Deterministic: the same fields give the same id. */
  sign(fields: AssignmentFields): string;
  /** undefined for whatever does not verify. */
  verify(id: string): AssignmentFields | undefined;
}
