import { type Kysely, sql } from 'kysely';

/** Where a refresh builds an experiment's outcomes aside before it swaps them in. Nothing refers to these rows. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create table rebuild_outcomes (
    token text not null,
    company_id text not null,
    nonce bytea not null,
    experiment_id text not null,
    trial_number bigint,
    conversion_reward double precision,
    funnel_reward double precision,
    reward double precision not null default 0,
    first_rewarded_at timestamptz,
    -- Written after the comparison with the live rows, or found to differ from them by it.
    differs boolean not null default false,
    -- Live, but not rebuilt: the live row has to go.
    is_gone boolean not null default false,
    written_at timestamptz not null default clock_timestamp(),
    primary key (token, company_id, nonce)
  )`,
  `create index rebuild_outcomes_changed on rebuild_outcomes (token) where differs or is_gone`,
  `create index assignment_outcomes_by_experiment on assignment_outcomes (company_id, experiment_id, nonce)`,
  `grant select, insert, update, delete on rebuild_outcomes to bandit_learner`,
];
