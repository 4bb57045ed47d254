import { type Kysely, sql } from 'kysely';

/**
 * The eraser: the one role that may change or delete facts, of one company at a time and on behalf of an end user who
 * asked for it. And what services need that log in with users of their own (infra/postgres/roles.sql): to see how far
 * the schema is, to make the first MAC key, and to tell an empty database from one whose rows are not theirs to see.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

/** What is kept about an end user. */
const personalTables = [
  'assignments',
  'current_assignments',
  'events',
  'event_keys',
  'assignment_outcomes',
  'fact_exceptions',
  'funnel_rewards',
];
/** Read to find it, and the audit row that an erasure leaves. */
const otherTables = ['experiments', 'treatments', 'funnels', 'audit_log'];

const guard = (table: string, column = 'company_id') => `create policy eraser on ${table} to bandit_eraser
    using (${column} = current_setting('app.company_id', true))
    with check (${column} = current_setting('app.company_id', true))`;

const statements = [
  // Where the migrator may not make roles, roles.sql has made it.
  `do $$ begin
    create role bandit_eraser nologin;
  exception when duplicate_object or unique_violation or insufficient_privilege then null; end $$`,
  `do $$ begin
    execute format('grant bandit_eraser to %I', current_user);
  exception when invalid_grant_operation or invalid_role_specification or insufficient_privilege then null; end $$`,
  ...[...personalTables, ...otherTables].map((table) => guard(table)),
  guard('companies', 'id'),
  `grant select, update, delete on ${personalTables.join(', ')} to bandit_eraser`,
  `grant select on companies, experiments, treatments, funnels, log_epoch to bandit_eraser`,
  // The lock that keeps audit numbers without gaps takes the right to update, of any one column.
  `grant update (config_version) on companies to bandit_eraser`,
  `grant select, insert on audit_log to bandit_eraser`,

  `grant select on kysely_migration to bandit_accept, bandit_learner, bandit_app, bandit_eraser`,
  // Its last use is compared before it is written.
  `grant select (last_used_at) on api_keys to bandit_accept`,
  // Worthless without ASSIGNMENT_SECRET: whichever process starts first makes the first key.
  `grant insert on mac_keys to bandit_accept, bandit_app`,
  `create function count_companies() returns bigint
    language sql stable security definer set search_path = public
    begin atomic select count(*) from companies; end`,
  `revoke all on function count_companies() from public`,
  `grant execute on function count_companies() to bandit_app`,
];
