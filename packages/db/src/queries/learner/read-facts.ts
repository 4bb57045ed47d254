import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Database, EventSource, FactExceptionReason, FactKind } from '../../schema.ts';

/** Place of a fact in the log. */
export interface FactPlace {
  readonly batch: number;
  readonly position: number;
}

interface FactOfExperiment extends FactPlace {
  readonly companyId: string;
  readonly experimentId: string;
  readonly treatmentId: string;
  /** Position of the treatment. */
  readonly armIndex: number;
  /** As it is listed: `evt_…`. */
  readonly factId: string;
  /** Hexadecimal nonce of the assignment. */
  readonly nonce: string;
  readonly assignedAtMs: number;
  readonly isFirst: boolean;
  readonly propensity: number | undefined;
  readonly predictions: readonly number[] | undefined;
  /** Contextual algorithms only. */
  readonly context: Readonly<Record<string, string | number | boolean>> | undefined;
  /** Set when this fact is on record as not learned. */
  readonly excepted: FactExceptionReason | undefined;
}

export interface TrialRow extends FactOfExperiment {
  readonly kind: 'trial';
}

export interface RewardRow extends FactOfExperiment {
  readonly kind: 'reward';
  readonly source: EventSource;
  readonly value: number | undefined;
  readonly receivedAtMs: number;
  /** Batch of its assignment; undefined when that is not in the database. */
  readonly trialBatch: number | undefined;
  /** True when the trial itself is on record as not learned. */
  readonly isTrialExcepted: boolean;
}

export type FactRow = TrialRow | RewardRow;

export interface FactsWanted {
  readonly partition: number;
  /** Facts of later batches only. */
  readonly afterBatch: number;
  readonly throughBatch: number;
  /** One experiment alone. */
  readonly experiment?: { readonly companyId: string; readonly experimentId: string };
}

/**
 * What teaches, in the order in which it is learned: assignments before events within a batch, each by position. Events
 * that never teach (CLICK, VIEW, CUSTOM) are not among them.
 */
export async function readFacts(db: Kysely<Database>, wanted: FactsWanted): Promise<FactRow[]> {
  const trials = await readTrials(db, wanted);
  const rewards = await readRewards(db, wanted);
  return mergeByPlace(trials, rewards);
}

const factIdOfNonce = (nonce: string) =>
  sql.raw(`('evt_' || rtrim(translate(encode(${nonce}, 'base64'), '+/', '-_'), '='))`);

/** `offset 0` makes it a look-up by the whole key for each row, whatever the planner thinks of the table's size. */
function exceptionOf(alias: string, companyId: string, kind: FactKind, factId: RawBuilder<unknown>) {
  return sql`left join lateral (
      select fact_id, reason from fact_exceptions
      where company_id = ${sql.raw(companyId)} and fact_kind = ${kind} and fact_id = ${factId} offset 0
    ) ${sql.raw(alias)} on true`;
}

function inRange(alias: string, { partition, afterBatch, throughBatch, experiment }: FactsWanted) {
  const a = sql.raw(alias);
  const range = sql`${a}.partition = ${partition} and ${a}.batch > ${afterBatch} and ${a}.batch <= ${throughBatch}`;
  return experiment === undefined
    ? range
    : // Not by the index of the experiment: a planner without statistics thinks it as good, and reads it all each time.
      sql`${range} and ${a}.company_id || '' = ${experiment.companyId}
        and ${a}.experiment_id || '' = ${experiment.experimentId}`;
}

interface FactColumns {
  company_id: string;
  experiment_id: string;
  treatment_id: string;
  arm_index: number;
  fact_id: string;
  nonce: string;
  assigned_at: Date;
  is_first: boolean | null;
  propensity: number | null;
  predictions: number[] | null;
  context: Record<string, string | number | boolean> | null;
  batch: number;
  position: number;
  excepted: FactExceptionReason | null;
}

/** The context is large, and nothing but a contextual learner looks at it. */
const neededContext = sql.raw(
  `case when e.algorithm in ('LINEAR_CONTEXTUAL', 'NEURAL_CONTEXTUAL') then a.context end as context`,
);

async function readTrials(db: Kysely<Database>, wanted: FactsWanted): Promise<TrialRow[]> {
  const { rows } = await sql<FactColumns>`
    select a.company_id, a.experiment_id, a.treatment_id, t.position as arm_index,
      ${factIdOfNonce('a.nonce')} as fact_id, encode(a.nonce, 'hex') as nonce, a.assigned_at, a.is_first, a.propensity,
      a.predictions, ${neededContext}, a.batch, a.position, x.reason as excepted
    from assignments a
    join experiments e on e.company_id = a.company_id and e.id = a.experiment_id
    join treatments t on t.company_id = a.company_id and t.experiment_id = a.experiment_id and t.id = a.treatment_id
    ${exceptionOf('x', 'a.company_id', 'assignment', factIdOfNonce('a.nonce'))}
    where ${inRange('a', wanted)}
    order by a.batch, a.position`.execute(db);
  return rows.map((row) => ({ kind: 'trial', ...toFact(row) }));
}

async function readRewards(db: Kysely<Database>, wanted: FactsWanted): Promise<RewardRow[]> {
  const { rows } = await sql<
    FactColumns & {
      source: EventSource;
      value: number | null;
      received_at: Date;
      trial_batch: number | null;
      is_trial_excepted: boolean;
    }
  >`
    select v.company_id, v.experiment_id, v.treatment_id, t.position as arm_index, v.id as fact_id,
      encode(v.assignment_nonce, 'hex') as nonce, v.assigned_at, a.is_first, a.propensity, a.predictions,
      ${neededContext}, v.batch, v.position, x.reason as excepted, v.source, v.value, v.received_at,
      a.batch as trial_batch, y.fact_id is not null as is_trial_excepted
    from events v
    join experiments e on e.company_id = v.company_id and e.id = v.experiment_id
    join treatments t on t.company_id = v.company_id and t.experiment_id = v.experiment_id and t.id = v.treatment_id
    left join assignments a on a.company_id = v.company_id and a.nonce = v.assignment_nonce
      and a.assigned_at = v.assigned_at
    ${exceptionOf('x', 'v.company_id', 'event', sql.raw('v.id'))}
    ${exceptionOf('y', 'v.company_id', 'assignment', factIdOfNonce('v.assignment_nonce'))}
    where ${inRange('v', wanted)} and v.event_type = 'CONVERSION'
    order by v.batch, v.position`.execute(db);
  return rows.map((row) => ({
    kind: 'reward',
    ...toFact(row),
    source: row.source,
    value: row.value ?? undefined,
    receivedAtMs: row.received_at.getTime(),
    trialBatch: row.trial_batch ?? undefined,
    isTrialExcepted: row.is_trial_excepted,
  }));
}

function toFact(row: FactColumns): FactOfExperiment {
  return {
    companyId: row.company_id,
    experimentId: row.experiment_id,
    treatmentId: row.treatment_id,
    armIndex: row.arm_index,
    factId: row.fact_id,
    nonce: row.nonce,
    assignedAtMs: row.assigned_at.getTime(),
    isFirst: row.is_first ?? false,
    propensity: row.propensity ?? undefined,
    predictions: row.predictions ?? undefined,
    context: row.context ?? undefined,
    batch: row.batch,
    position: row.position,
    excepted: row.excepted ?? undefined,
  };
}

function mergeByPlace(trials: readonly TrialRow[], rewards: readonly RewardRow[]): FactRow[] {
  const merged: FactRow[] = [];
  let next = 0;
  for (const reward of rewards) {
    while (next < trials.length && trials[next]!.batch <= reward.batch) merged.push(trials[next++]!);
    merged.push(reward);
  }
  return [...merged, ...trials.slice(next)];
}
