import { type Kysely, sql } from 'kysely';

/**
 * Least privilege per service, and row-level security by company for management. Roles belong to the whole cluster:
 * another database of it may have made them already. A migrator that may not make roles finds them made
 * (infra/postgres/roles.sql).
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const makeRole = (name: string) => `do $$ begin
    create role ${name} nologin;
  exception when duplicate_object or unique_violation or insufficient_privilege then null; end $$`;

const tenantTables = [
  'members',
  'api_keys',
  'experiments',
  'treatments',
  'funnels',
  'funnel_experiments',
  'funnel_rewards',
  'audit_log',
  'assignments',
  'current_assignments',
  'events',
  'event_keys',
  'experiment_states',
  'treatment_days',
  'assignment_outcomes',
  'fact_exceptions',
  'model_swaps',
  'variant_requests',
];

const rowSecurity = tenantTables.flatMap((table) => [
  `alter table ${table} enable row level security`,
  `create policy tenant on ${table} to bandit_app
    using (company_id = current_setting('app.company_id', true))
    with check (company_id = current_setting('app.company_id', true))`,
  `create policy services on ${table} to bandit_accept, bandit_learner using (true) with check (true)`,
]);

const statements = [
  makeRole('bandit_app'),
  makeRole('bandit_accept'),
  makeRole('bandit_learner'),
  // Whoever migrates may act as each role: SET LOCAL ROLE needs membership.
  `do $$ begin
    execute format('grant bandit_app, bandit_accept, bandit_learner to %I', current_user);
  exception when invalid_grant_operation or invalid_role_specification or insufficient_privilege then null; end $$`,
  ...rowSecurity,
  `alter table companies enable row level security`,
  `create policy tenant on companies to bandit_app
    using (id = current_setting('app.company_id', true))
    with check (id = current_setting('app.company_id', true))`,
  `create policy services on companies to bandit_accept, bandit_learner using (true)`,

  // Management: everything of its company, but facts are append-only to it.
  `grant select, insert, update, delete on companies, members, api_keys, experiments, treatments, funnels,
    funnel_experiments, funnel_rewards, variant_requests to bandit_app`,
  `grant select, insert on audit_log, events, event_keys, fact_batches to bandit_app`,
  `grant select on assignments, current_assignments, experiment_states, treatment_days, assignment_outcomes,
    fact_exceptions, model_swaps, log_epoch, learner_partitions, mac_keys to bandit_app`,

  // Assignment and accept: key ids, hashes and scopes, never names or people.
  `grant select on companies, experiments, treatments, experiment_states, mac_keys, log_epoch to bandit_accept`,
  `grant select (company_id, id, key_id, secret_hash, scopes, expires_at, revoked_at) on api_keys to bandit_accept`,
  `grant update (last_used_at) on api_keys to bandit_accept`,
  `grant select, insert on assignments, events, fact_batches to bandit_accept`,
  `grant select, insert, update on current_assignments to bandit_accept`,
  // delete: a claimed identity is given back when its event's other identity was taken.
  `grant select, insert, delete on event_keys to bandit_accept`,

  `grant select on companies, experiments, treatments, assignments, events, fact_batches, log_epoch
    to bandit_learner`,
  `grant select, insert, update on learner_partitions, experiment_states, treatment_days, assignment_outcomes
    to bandit_learner`,
  `grant delete on treatment_days, assignment_outcomes to bandit_learner`,
  `grant select, insert, delete on folds, fact_exceptions, model_swaps to bandit_learner`,

  // The two look-ups that come before a tenant is known.
  `create function find_api_key(wanted text)
    returns table (company_id text, id text, key_id text, secret_hash bytea, scopes text[], expires_at timestamptz)
    language sql stable security definer set search_path = public
    begin atomic
      select k.company_id, k.id, k.key_id, k.secret_hash, k.scopes, k.expires_at
      from api_keys k where k.key_id = wanted and k.revoked_at is null;
    end`,
  `create function find_member(wanted text)
    returns table (company_id text, id text, email text, role text)
    language sql stable security definer set search_path = public
    begin atomic
      select m.company_id, m.id, m.email, m.role from members m where m.email = wanted;
    end`,
  // The scheduler's look-up over all companies: ids only.
  `create function due_experiments(at timestamptz, most integer) returns table (company_id text, id text)
    language sql stable security definer set search_path = public
    begin atomic
      select e.company_id, e.id from experiments e
      where e.status in ('active', 'paused') and e.end_at is not null and e.end_at <= at
      order by e.end_at limit most;
    end`,
  `revoke all on function find_api_key(text), find_member(text), due_experiments(timestamptz, integer),
    ensure_fact_partitions(integer), ensure_log_epoch() from public`,
  `grant execute on function find_api_key(text) to bandit_accept, bandit_app`,
  `grant execute on function find_member(text), due_experiments(timestamptz, integer) to bandit_app`,
  `grant execute on function ensure_log_epoch() to bandit_accept, bandit_learner, bandit_app`,
  `grant execute on function ensure_fact_partitions(integer) to bandit_app`,
];
