import { type Kysely, sql } from 'kysely';
import type { Database, Row } from '../../schema.ts';
import type { ExperimentKey } from './learner-experiments.ts';

/** Counters of a treatment, over one day or many. */
export interface TreatmentCounters {
  readonly trials: number;
  readonly successes: number;
  readonly firstTrials: number;
  readonly firstSuccesses: number;
  readonly late: number;
  readonly rewardSum: number;
  readonly rewardSqSum: number;
  /** Trials whose propensity is on record, the sum of 1/p over them, and of reward/p. */
  readonly propensityTrials: number;
  readonly ipwSum: number;
  readonly ipwRewardSum: number;
}

/** Sums of one treatment and UTC day of assignment, or changes of them. */
export interface DaySums extends ExperimentKey, TreatmentCounters {
  readonly treatmentId: string;
  /** YYYY-MM-DD. */
  readonly day: string;
}

/** The column of `treatment_days` behind each counter. */
export const counterColumns = {
  trials: 'trials',
  successes: 'successes',
  firstTrials: 'first_trials',
  firstSuccesses: 'first_successes',
  late: 'late',
  rewardSum: 'reward_sum',
  rewardSqSum: 'reward_sq_sum',
  propensityTrials: 'propensity_trials',
  ipwSum: 'ipw_sum',
  ipwRewardSum: 'ipw_reward_sum',
} as const satisfies Record<keyof TreatmentCounters, keyof Row<'treatment_days'>>;
const columns = Object.values(counterColumns);
const rowType = `company_id text, experiment_id text, treatment_id text, day date, ${columns
  .map((column) => `${column} double precision`)
  .join(', ')}`;

/** Adds changes, each (treatment, day) at most once, to `treatment_days`. */
export async function addDaySums(db: Kysely<Database>, changes: readonly DaySums[]): Promise<void> {
  if (changes.length === 0) return;
  const input = JSON.stringify(changes.map(toInput));
  const table = sql.raw(`as x(${rowType})`);
  // A row first: the checks of an upsert look at what it proposes, and a change alone need not keep them.
  await sql`
    insert into treatment_days (company_id, experiment_id, treatment_id, day)
    select company_id, experiment_id, treatment_id, day from jsonb_to_recordset(${input}::jsonb) ${table}
    on conflict do nothing`.execute(db);
  const sums = sql.raw(columns.map((column) => `${column} = d.${column} + x.${column}`).join(', '));
  await sql`
    update treatment_days d set ${sums} from jsonb_to_recordset(${input}::jsonb) ${table}
    where d.company_id = x.company_id and d.experiment_id = x.experiment_id and d.treatment_id = x.treatment_id
      and d.day = x.day`.execute(db);
}

/** Puts `sums` in the place of everything that is held of the experiment. */
export async function replaceDaySums(
  db: Kysely<Database>,
  { companyId, experimentId }: ExperimentKey,
  sums: readonly DaySums[],
): Promise<void> {
  await db
    .deleteFrom('treatment_days')
    .where('company_id', '=', companyId)
    .where('experiment_id', '=', experimentId)
    .execute();
  await addDaySums(db, sums);
}

function toInput(sums: DaySums) {
  const names = Object.keys(counterColumns) as (keyof TreatmentCounters)[];
  const values = names.map((name) => [counterColumns[name], sums[name]]);
  return {
    company_id: sums.companyId,
    experiment_id: sums.experimentId,
    treatment_id: sums.treatmentId,
    day: sums.day,
    ...Object.fromEntries(values),
  };
}

export function toDaySums(row: Row<'treatment_days'>): DaySums {
  const names = Object.keys(counterColumns) as (keyof TreatmentCounters)[];
  const counters = Object.fromEntries(names.map((name) => [name, row[counterColumns[name]]]));
  return {
    companyId: row.company_id,
    experimentId: row.experiment_id,
    treatmentId: row.treatment_id,
    day: row.day,
    ...(counters as unknown as TreatmentCounters),
  };
}
