/**
 * Kysely's view of the migrations, one interface per table. What comes back from the driver: int8 and numeric are numbers,
 * timestamptz is a Date, date is the text YYYY-MM-DD, bytea is a Buffer, jsonb is parsed. jsonb is written as JSON text.
 */
import type {
  Algorithm,
  ApiKeyScope,
  ContentType,
  EventType,
  ExperimentStatus,
  FunnelStatus,
  MemberRole,
} from '@bandit/contracts';
import type { ColumnType, Generated, Insertable, Selectable, Updateable } from 'kysely';
import type { ErasedSubjectsTable } from './queries/erasure/erased-subjects-table.ts';

/** A number that the database fills in when it is not given. */
type Counter = Generated<number>;
type Instant = ColumnType<Date, Date | string, Date | string>;
type MaybeInstant = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
type MadeAt = ColumnType<Date, Date | string | undefined, Date | string>;
type Bytes = ColumnType<Buffer, Uint8Array, Uint8Array>;
type MaybeBytes = ColumnType<Buffer | null, Uint8Array | null | undefined, Uint8Array | null>;
type JsonObject = Record<string, unknown>;
type Json<T = JsonObject> = ColumnType<T, string, string>;
type JsonWithDefault<T = JsonObject> = ColumnType<T, string | undefined, string>;
type MaybeJson<T = JsonObject> = ColumnType<T | null, string | null | undefined, string | null>;

export interface CompaniesTable {
  id: string;
  name: string;
  config_version: Counter;
  created_at: MadeAt;
}

export interface MembersTable {
  company_id: string;
  id: string;
  /** Lower case, unique over all companies. */
  email: string;
  role: MemberRole;
  created_at: MadeAt;
}

export interface ApiKeysTable {
  company_id: string;
  id: string;
  key_id: string;
  name: string;
  prefix: string;
  /** SHA-256 of the secret, 32 bytes. */
  secret_hash: Bytes;
  scopes: ApiKeyScope[];
  created_at: MadeAt;
  expires_at: MaybeInstant;
  revoked_at: MaybeInstant;
  last_used_at: MaybeInstant;
}

export interface ExperimentsTable {
  company_id: string;
  id: string;
  /** partitionOfExperiment(id). */
  partition: number;
  name: string;
  description: string | null;
  algorithm: Algorithm;
  algorithm_config: JsonWithDefault;
  content_type: ContentType;
  status: Generated<ExperimentStatus>;
  /** Seconds. */
  assignment_ttl: number;
  end_at: MaybeInstant;
  activated_at: MaybeInstant;
  created_at: MadeAt;
  updated_at: MadeAt;
}

export interface TreatmentConfig {
  content: string;
  metadata?: Record<string, unknown>;
}

export interface TreatmentsTable {
  company_id: string;
  experiment_id: string;
  id: string;
  /** Arm index, stable for ever. */
  position: number;
  name: string;
  description: string | null;
  config: Json<TreatmentConfig>;
  weight: number;
  is_control: Generated<boolean>;
  is_original: Generated<boolean>;
  strategy: string | null;
  created_at: MadeAt;
  removed_at: MaybeInstant;
}

export interface FunnelsTable {
  company_id: string;
  id: string;
  name: string;
  description: string | null;
  status: Generated<FunnelStatus>;
  created_at: MadeAt;
  updated_at: MadeAt;
  deleted_at: MaybeInstant;
}

export interface FunnelExperimentsTable {
  company_id: string;
  funnel_id: string;
  position: number;
  experiment_id: string;
}

export interface FunnelRewardsTable {
  company_id: string;
  funnel_id: string;
  user_id: string;
  value: number;
  created_at: MadeAt;
}

export interface AuditLogTable {
  company_id: string;
  seq: number;
  id: string;
  actor: string;
  action: string;
  target: string;
  details: JsonWithDefault;
  at: MadeAt;
  prev_hash: Bytes;
  hash: Bytes;
}

export interface MacKeysTable {
  id: string;
  /** Wrapped by ASSIGNMENT_SECRET. */
  wrapped: Bytes;
  created_at: MadeAt;
}

export interface LogEpochTable {
  only_row: Generated<boolean>;
  epoch: number;
}

export interface FactBatchesTable {
  partition: number;
  /** sql`current_batch()` of the transaction that wrote the facts. */
  batch: number;
  n_assignments: Counter;
  n_events: Counter;
  created_at: MadeAt;
}

export type AssignmentSource = 'draw' | 'restored' | 'client';

export interface AssignmentsTable {
  company_id: string;
  experiment_id: string;
  treatment_id: string;
  /** 16 bytes: the identity. */
  nonce: Bytes;
  user_id: string;
  assigned_at: Instant;
  expires_at: Instant;
  /** null for a client-made trial. */
  propensity: number | null;
  confidence: number;
  state_version: number;
  predictions: number[] | null;
  context: MaybeJson<Record<string, string | number | boolean>>;
  source: AssignmentSource;
  mac_key_id: string;
  is_first: boolean;
  value: number | null;
  metadata: MaybeJson;
  recorded_at: MadeAt;
  partition: number;
  batch: Counter;
  position: number;
}

export interface CurrentAssignmentsTable {
  company_id: string;
  experiment_id: string;
  user_id: string;
  treatment_id: string;
  nonce: Bytes;
  assigned_at: Instant;
  expires_at: Instant;
  propensity: number | null;
  confidence: number;
  state_version: number;
  mac_key_id: string;
  n_draws: Counter;
}

export interface EventKeysTable {
  company_id: string;
  key: Bytes;
  event_id: string;
  received_at: MadeAt;
}

export type EventSource = 'client' | 'funnel';

export interface EventsTable {
  company_id: string;
  experiment_id: string;
  treatment_id: string;
  id: string;
  user_id: string;
  event_type: EventType;
  value: number | null;
  metadata: JsonWithDefault;
  source: EventSource;
  funnel_id: string | null;
  assignment_nonce: MaybeBytes;
  assigned_at: MaybeInstant;
  occurred_at: MaybeInstant;
  received_at: MadeAt;
  partition: number;
  batch: Counter;
  position: number;
}

export interface LearnerPartitionsTable {
  partition: number;
  cursor_batch: Counter;
  fold_seq: Counter;
  n_learned: Counter;
  n_excepted: Counter;
  published_batch: Counter;
  updated_at: MadeAt;
}

export interface FoldsTable {
  partition: number;
  seq: number;
  through_batch: number;
  folded_at: MadeAt;
}

export interface ExperimentStatesTable {
  company_id: string;
  experiment_id: string;
  version: number;
  through_batch: number;
  n_trials: number;
  state: Bytes;
  serving: Bytes;
  updated_at: MadeAt;
}

export interface TreatmentDaysTable {
  company_id: string;
  experiment_id: string;
  treatment_id: string;
  /** UTC day of the assignment, YYYY-MM-DD. */
  day: string;
  trials: Counter;
  successes: Counter;
  first_trials: Counter;
  first_successes: Counter;
  late: Counter;
  reward_sum: Counter;
  reward_sq_sum: Counter;
  propensity_trials: Counter;
  ipw_sum: Counter;
  ipw_reward_sum: Counter;
}

export interface AssignmentOutcomesTable {
  company_id: string;
  nonce: Bytes;
  experiment_id: string;
  trial_number: number | null;
  conversion_reward: number | null;
  funnel_reward: number | null;
  reward: Counter;
  first_rewarded_at: MaybeInstant;
}

/** `assignment_outcomes` of an experiment that is being rebuilt, under the rebuild's token. */
export interface RebuildOutcomesTable extends AssignmentOutcomesTable {
  token: string;
  differs: Generated<boolean>;
  is_gone: Generated<boolean>;
  written_at: MadeAt;
}

export type FactKind = 'assignment' | 'event';
export type FactExceptionReason = 'archived' | 'late' | 'poison';

export interface FactExceptionsTable {
  company_id: string;
  experiment_id: string;
  fact_kind: FactKind;
  fact_id: string;
  partition: number;
  batch: number;
  position: number;
  reason: FactExceptionReason;
  message: string;
  created_at: MadeAt;
}

export interface ModelSwapsTable {
  company_id: string;
  experiment_id: string;
  seq: number;
  after_fold: number;
  network: Bytes;
  seed: number;
  n_steps: number;
  created_at: MadeAt;
}

/** Batches of a learner partition up to `through_batch` are in the bases of its experiments. */
export interface PartitionBasesTable {
  partition: number;
  through_batch: number;
  /** Facts of before may be dropped. */
  expired_before: Instant;
  taken_at: MadeAt;
}

/** The learner's state as it was at the base; an experiment without one had learned nothing. */
export interface ExperimentBasesTable {
  company_id: string;
  experiment_id: string;
  version: number;
  last_swap: number;
  state: Bytes;
  /** Where it was sealed for an erasure. */
  through_batch: number | null;
  n_seals: Generated<number>;
}

/** Facts that retention dropped. */
export interface DroppedFactsTable {
  fact_kind: FactKind | 'exception';
  /** First day of the month, YYYY-MM-DD. */
  month: string;
  partition: number;
  n: number;
  dropped_at: MadeAt;
}

export interface VariantRequestsTable {
  company_id: string;
  experiment_id: string;
  started_at: MadeAt;
  token: string;
}

/** Every table of the migrations. */
export interface Database {
  companies: CompaniesTable;
  members: MembersTable;
  api_keys: ApiKeysTable;
  experiments: ExperimentsTable;
  treatments: TreatmentsTable;
  funnels: FunnelsTable;
  funnel_experiments: FunnelExperimentsTable;
  funnel_rewards: FunnelRewardsTable;
  audit_log: AuditLogTable;
  mac_keys: MacKeysTable;
  log_epoch: LogEpochTable;
  fact_batches: FactBatchesTable;
  assignments: AssignmentsTable;
  current_assignments: CurrentAssignmentsTable;
  event_keys: EventKeysTable;
  events: EventsTable;
  learner_partitions: LearnerPartitionsTable;
  folds: FoldsTable;
  experiment_states: ExperimentStatesTable;
  treatment_days: TreatmentDaysTable;
  assignment_outcomes: AssignmentOutcomesTable;
  rebuild_outcomes: RebuildOutcomesTable;
  fact_exceptions: FactExceptionsTable;
  model_swaps: ModelSwapsTable;
  partition_bases: PartitionBasesTable;
  experiment_bases: ExperimentBasesTable;
  /** `treatment_days` as it was at the base. */
  base_days: TreatmentDaysTable;
  dropped_facts: DroppedFactsTable;
  erased_subjects: ErasedSubjectsTable;
  variant_requests: VariantRequestsTable;
}

export type Row<T extends keyof Database> = Selectable<Database[T]>;
export type NewRow<T extends keyof Database> = Insertable<Database[T]>;
export type RowChange<T extends keyof Database> = Updateable<Database[T]>;
