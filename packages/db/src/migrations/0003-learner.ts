import { type Kysely, sql } from 'kysely';

/** What the learner writes, always in one transaction with its cursor (law 3). */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // n_learned + n_excepted + facts above the cursor = facts accepted (law 6). Facts = assignments + events.
  `create table learner_partitions (
    partition smallint primary key,
    cursor_batch bigint not null default -1,
    fold_seq bigint not null default 0,
    n_learned bigint not null default 0,
    n_excepted bigint not null default 0,
    published_batch bigint not null default -1,
    updated_at timestamptz not null default clock_timestamp()
  )`,
  `insert into learner_partitions (partition) select generate_series(0, 15)`,
  // Where each fold of a partition ended: a rebuild replays the same chunks.
  `create table folds (
    partition smallint not null,
    seq bigint not null,
    through_batch bigint not null,
    folded_at timestamptz not null default clock_timestamp(),
    primary key (partition, seq)
  )`,
  `create table experiment_states (
    company_id text not null,
    experiment_id text not null,
    version bigint not null check (version > 0),
    through_batch bigint not null,
    n_trials bigint not null check (n_trials >= 0),
    state bytea not null,
    serving bytea not null,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (company_id, experiment_id),
    foreign key (company_id, experiment_id) references experiments (company_id, id)
  )`,
  // Sums per treatment and day of assignment (UTC): results add the days up, daily e-processes read them apart.
  `create table treatment_days (
    company_id text not null,
    experiment_id text not null,
    treatment_id text not null,
    day date not null,
    trials bigint not null default 0 check (trials >= 0),
    successes bigint not null default 0 check (successes between 0 and trials),
    first_trials bigint not null default 0,
    first_successes bigint not null default 0 check (first_successes between 0 and first_trials),
    late bigint not null default 0,
    reward_sum double precision not null default 0,
    reward_sq_sum double precision not null default 0,
    propensity_trials bigint not null default 0,
    ipw_sum double precision not null default 0,
    ipw_reward_sum double precision not null default 0,
    primary key (company_id, experiment_id, treatment_id, day),
    foreign key (company_id, experiment_id, treatment_id)
      references treatments (company_id, experiment_id, id)
  )`,
  // The learner's view of one assignment: its trial number where one is needed, and its reward by source.
  `create table assignment_outcomes (
    company_id text not null,
    nonce bytea not null,
    experiment_id text not null,
    trial_number bigint,
    conversion_reward double precision,
    funnel_reward double precision,
    reward double precision not null default 0,
    first_rewarded_at timestamptz,
    primary key (company_id, nonce)
  )`,
  `create table fact_exceptions (
    company_id text not null,
    experiment_id text not null,
    fact_kind text not null check (fact_kind in ('assignment', 'event')),
    fact_id text not null,
    partition smallint not null,
    batch bigint not null,
    position integer not null,
    reason text not null check (reason in ('archived', 'late', 'poison')),
    message text not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (company_id, fact_kind, fact_id)
  )`,
  `create index fact_exceptions_by_experiment on fact_exceptions (company_id, experiment_id, created_at)`,
  // A neural swap is a recorded fact: it applies before fold after_fold + 1 of the experiment's partition.
  `create table model_swaps (
    company_id text not null,
    experiment_id text not null,
    seq integer not null,
    after_fold bigint not null,
    network bytea not null,
    seed bigint not null,
    n_steps integer not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (company_id, experiment_id, seq)
  )`,
  // One AI call in flight per experiment; outcomes feed the Thompson draw over strategies.
  `create table variant_requests (
    company_id text not null,
    experiment_id text not null,
    started_at timestamptz not null default clock_timestamp(),
    token text not null,
    primary key (company_id, experiment_id)
  )`,
];
