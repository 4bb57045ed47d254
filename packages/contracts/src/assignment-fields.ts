/** One assignment: what its id says and proves, and what its row holds. */
export interface AssignmentFields {
  readonly companyId: string;
  readonly experimentId: string;
  readonly treatmentId: string;
  readonly userId: string;
  /** 16 bytes: the identity. */
  readonly nonce: Uint8Array;
  readonly assignedAtMs: number;
  readonly expiresAtMs: number;
  /** Exact probability of the draw, in (0, 1]; undefined for a client-made trial. */
  readonly propensity: number | undefined;
  readonly confidence: number;
  readonly stateVersion: number;
  readonly macKeyId: string;
}
