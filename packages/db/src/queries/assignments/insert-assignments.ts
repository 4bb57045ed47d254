import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** One decision as it goes on record. */
export interface NewAssignment {
  readonly companyId: string;
  readonly experimentId: string;
  readonly treatmentId: string;
  readonly partition: number;
  readonly userId: string;
  /** 16 random bytes: the identity. The same decision again carries the same nonce. */
  readonly nonce: Uint8Array;
  /** Whole milliseconds since the epoch, database time. */
  readonly assignedAtMs: number;
  readonly expiresAtMs: number;
  readonly propensity: number;
  readonly confidence: number;
  readonly stateVersion: number;
  readonly predictions: readonly number[] | undefined;
  readonly context: Readonly<Record<string, string | number | boolean>> | undefined;
  readonly macKeyId: string;
  /** False with ttl 0: the row becomes nobody's current assignment. */
  readonly isSticky: boolean;
  /** Nonce of the current assignment that no longer counts because its treatment was removed. */
  readonly droppedNonce: Uint8Array | undefined;
}

/**
 * One statement for all decisions that wait. A sticky one is recorded if its user has no current assignment, or one
 * that expired or was dropped, and becomes the current one; any other one is recorded unless an unexpired current
 * assignment stands in its way. Rows not recorded lost to a current assignment, or were recorded by an earlier run.
 *
 * @param rows at least one; a (company, experiment, user) at most once among the sticky ones
 * @returns the nonces recorded by this run, in hexadecimal
 */
export async function insertAssignments(
  db: Kysely<Database>,
  rows: readonly NewAssignment[],
): Promise<ReadonlySet<string>> {
  const { rows: recorded } = await statement(rows).execute(db);
  return new Set(recorded.map((row) => row.nonce));
}

function statement(rows: readonly NewAssignment[]) {
  const dropped = rows.flatMap(({ droppedNonce }) => (droppedNonce ? [Buffer.from(droppedNonce)] : []));
  return sql<{ nonce: string }>`
    with input as materialized (${inputTable(rows)}),
    made_current as (
      insert into current_assignments as held (company_id, experiment_id, user_id, treatment_id, nonce, assigned_at,
        expires_at, propensity, confidence, state_version, mac_key_id)
      select company_id, experiment_id, user_id, treatment_id, nonce, assigned_at, expires_at, propensity, confidence,
        state_version, mac_key_id
      from input where is_sticky
      -- One order everywhere, so that two such statements never wait for each other in a circle.
      order by company_id, experiment_id, user_id
      on conflict (company_id, experiment_id, user_id) do update set
        treatment_id = excluded.treatment_id, nonce = excluded.nonce, assigned_at = excluded.assigned_at,
        expires_at = excluded.expires_at, propensity = excluded.propensity, confidence = excluded.confidence,
        state_version = excluded.state_version, mac_key_id = excluded.mac_key_id, n_draws = held.n_draws + 1
      where held.expires_at <= excluded.assigned_at or held.nonce = any(${dropped}::bytea[])
      returning company_id, nonce, n_draws
    ),
    decided as (
      select input.*, made.n_draws = 1 as is_first
      from input join made_current made using (company_id, nonce)
      union all
      select input.*, row_number() over (partition by company_id, experiment_id, user_id order by ord) = 1
        and not exists (select from assignments earlier where earlier.company_id = input.company_id
          and earlier.user_id = input.user_id and earlier.experiment_id = input.experiment_id) as is_first
      from input where not is_sticky and not exists (
        select from current_assignments held where held.company_id = input.company_id
          and held.experiment_id = input.experiment_id and held.user_id = input.user_id
          and held.expires_at > input.assigned_at and held.nonce <> all(${dropped}::bytea[]))
    ),
    recorded as (
      insert into assignments (company_id, experiment_id, treatment_id, nonce, user_id, assigned_at, expires_at,
        propensity, confidence, state_version, predictions, context, source, mac_key_id, is_first, partition, batch,
        position)
      select company_id, experiment_id, treatment_id, nonce, user_id, assigned_at, expires_at, propensity, confidence,
        state_version, predictions::float8[], context::jsonb, 'draw', mac_key_id, is_first, partition, batch,
        row_number() over (partition by partition order by ord) - 1
      from decided, (select current_batch() as batch offset 0) this
      on conflict do nothing
      returning nonce, partition, batch
    ),
    counted as (
      insert into fact_batches (partition, batch, n_assignments)
      select partition, batch, count(*) from recorded group by partition, batch
    )
    select encode(nonce, 'hex') as nonce from recorded`;
}

/** The rows as a table, in their order. */
function inputTable(rows: readonly NewAssignment[]) {
  return sql`
      select ord, company_id, experiment_id, treatment_id, partition, user_id, nonce,
        to_timestamp(assigned_ms / 1000.0) as assigned_at, to_timestamp(expires_ms / 1000.0) as expires_at,
        propensity, confidence, state_version, predictions, context, mac_key_id, is_sticky
      from unnest(
        ${column(rows, (row) => row.companyId)}::text[], ${column(rows, (row) => row.experimentId)}::text[],
        ${column(rows, (row) => row.treatmentId)}::text[], ${column(rows, (row) => row.partition)}::smallint[],
        ${column(rows, (row) => row.userId)}::text[], ${column(rows, (row) => Buffer.from(row.nonce))}::bytea[],
        ${column(rows, (row) => row.assignedAtMs)}::bigint[], ${column(rows, (row) => row.expiresAtMs)}::bigint[],
        ${column(rows, (row) => row.propensity)}::float8[], ${column(rows, (row) => row.confidence)}::float8[],
        ${column(rows, (row) => row.stateVersion)}::bigint[], ${column(rows, arrayText)}::text[],
        ${column(rows, (row) => row.context && JSON.stringify(row.context))}::text[],
        ${column(rows, (row) => row.macKeyId)}::text[], ${column(rows, (row) => row.isSticky)}::boolean[]
      ) with ordinality as given(company_id, experiment_id, treatment_id, partition, user_id, nonce, assigned_ms,
        expires_ms, propensity, confidence, state_version, predictions, context, mac_key_id, is_sticky, ord)`;
}

function column<T>(rows: readonly NewAssignment[], read: (row: NewAssignment) => T): Array<T | null> {
  return rows.map((row) => read(row) ?? null);
}

/** As an array literal: unnest would flatten arrays of arrays. */
function arrayText({ predictions }: NewAssignment): string | undefined {
  return predictions && `{${predictions.join(',')}}`;
}
