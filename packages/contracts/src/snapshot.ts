/** The live configuration that assignment and ingest hold in memory, one object per company, swapped in whole. */
import type { Algorithm, ApiKeyScope, ContentType, ExperimentStatus } from './enums.ts';

export interface TreatmentSnapshot {
  readonly id: string;
  /** Arm index: position of creation within the experiment, stable for ever, removed treatments included. */
  readonly position: number;
  readonly name: string;
  readonly config: { readonly content: string; readonly metadata?: Record<string, unknown> };
  readonly weight: number;
  readonly isLive: boolean;
  /** True when it was there when the experiment was first activated (ALGORITHMS rule 5). */
  readonly isOriginal: boolean;
}

export interface ExperimentSnapshot {
  readonly companyId: string;
  readonly id: string;
  /** Learner partition, 0 … limits.learnerPartitions - 1. */
  readonly partition: number;
  readonly algorithm: Algorithm;
  readonly algorithmConfig: Readonly<Record<string, unknown>>;
  readonly contentType: ContentType;
  readonly status: ExperimentStatus;
  readonly assignmentTtlSeconds: number;
  /** Milliseconds since the epoch, database time; assignments stop at this instant. */
  readonly endAtMs: number | undefined;
  /** By position; the index in this array IS the position. */
  readonly treatments: readonly TreatmentSnapshot[];
}

export interface ApiKeySnapshot {
  readonly companyId: string;
  readonly id: string;
  readonly keyId: string;
  /** SHA-256 of the secret. */
  readonly secretHash: Uint8Array;
  readonly scopes: readonly ApiKeyScope[];
  readonly expiresAtMs: number | undefined;
}

/** Everything of one company at one configuration version. Revoked keys are absent. */
export interface CompanySnapshot {
  readonly companyId: string;
  readonly version: number;
  readonly experiments: readonly ExperimentSnapshot[];
  readonly apiKeys: readonly ApiKeySnapshot[];
}
