import { type Kysely, sql } from 'kysely';
import { definer, drops, monthOf } from './0008-retention-drops.ts';

/**
 * Retention: what the learner holds of the facts that are to go is kept as the base of later rebuilds, then the months go
 * (docs/adr/0006-retention-base.md). Each function is one short step, safe to repeat, and looks itself at what makes it
 * safe; `bandit_retention` may call them and nothing else. A long transaction that writes would keep all learning
 * waiting (`settled_batch`), so whatever grows with a month goes in pages.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const tables = [
  // Facts of before are gone or going: none may come back, as a second trial of the same assignment.
  `create table retention_floor (
    only_row boolean primary key default true check (only_row),
    expired_before timestamptz not null default '-infinity'
  )`,
  `insert into retention_floor default values`,
  // Law 6 goes on to hold: accepted = facts that are there + facts that were dropped.
  `create table dropped_facts (
    fact_kind text not null check (fact_kind in ('assignment', 'event', 'exception')),
    month date not null,
    partition smallint not null,
    n bigint not null,
    dropped_at timestamptz not null default clock_timestamp(),
    primary key (fact_kind, month, partition)
  )`,
  // Batches up to through_batch are in the bases of the partition's experiments; a rebuild replays later ones.
  `create table partition_bases (
    partition smallint primary key references learner_partitions (partition),
    through_batch bigint not null,
    expired_before timestamptz not null,
    taken_at timestamptz not null default clock_timestamp()
  )`,
  `create table experiment_bases (
    company_id text not null,
    experiment_id text not null,
    -- Of the state that was copied: the same version has not changed since.
    version bigint not null,
    last_swap integer not null,
    state bytea not null,
    primary key (company_id, experiment_id),
    foreign key (company_id, experiment_id) references experiments (company_id, id)
  )`,
  `create table base_days (like treatment_days including defaults including constraints including indexes)`,
];

/**
 * In the default partition alone, where rows of dropped months land: an assignment that an id of before retention
 * would restore is skipped (the event on it is then stored and not learned); a decision that waited so long for the
 * database is refused for its value, so that whoever brings it in lets go of it.
 */
const floorGuard = [
  `create function skip_expired_assignment() returns trigger language plpgsql security definer
    set search_path = public as $$ begin
      if new.assigned_at >= (select expired_before from retention_floor) then return new; end if;
      if new.source = 'draw' then
        raise exception 'the assignment of % is older than retention', new.assigned_at using errcode = '22008';
      end if;
      return null;
    end $$`,
  `create trigger skip_expired before insert on assignments_default
    for each row execute function skip_expired_assignment()`,
];

const bases = [
  // Whether every fact that is to go, and every event on an assignment that is to go, lies within the bases.
  `create function bases_cover(expired_before timestamptz) returns boolean ${definer} as $$
    #variable_conflict use_variable
    declare p record;
    begin
      for p in select l.partition, b.through_batch, b.expired_before from learner_partitions l
          left join partition_bases b using (partition) loop
        if p.through_batch is null or p.expired_before < expired_before
          or exists (select from assignments f where f.partition = p.partition and f.batch > p.through_batch
            and f.assigned_at < expired_before)
          or exists (select from events f where f.partition = p.partition and f.batch > p.through_batch
            and (f.received_at < expired_before or f.assigned_at < expired_before)) then
          return false;
        end if;
      end loop;
      return true;
    end $$`,
  // Copies what is learned of one partition, all of one moment: no fold and no rebuild can be committed meanwhile.
  `create function take_base(wanted smallint, expired_before timestamptz) returns text ${definer} as $$
    #variable_conflict use_variable
    declare l learner_partitions;
    begin
      select * into strict l from learner_partitions where partition = wanted for update;
      if exists (select from assignments f where f.partition = wanted and f.batch > l.cursor_batch
          and f.assigned_at < expired_before)
        or exists (select from events f where f.partition = wanted and f.batch > l.cursor_batch
          and (f.received_at < expired_before or f.assigned_at < expired_before)) then
        return 'unlearned';
      end if;
      if exists (select from events f where f.partition = wanted and f.batch > l.published_batch
          and f.received_at < expired_before) then
        return 'unpublished';
      end if;
      insert into experiment_bases (company_id, experiment_id, version, last_swap, state)
        select s.company_id, s.experiment_id, s.version, coalesce((select max(w.seq) from model_swaps w
          where w.company_id = s.company_id and w.experiment_id = s.experiment_id), 0), s.state
        from experiments e
        join experiment_states s on s.company_id = e.company_id and s.experiment_id = e.id
        left join experiment_bases b on b.company_id = e.company_id and b.experiment_id = e.id
        where e.partition = wanted and b.version is distinct from s.version
        on conflict (company_id, experiment_id) do update
          set version = excluded.version, last_swap = excluded.last_swap, state = excluded.state;
      delete from base_days b using experiments e
        where e.partition = wanted and b.company_id = e.company_id and b.experiment_id = e.id
          and not exists (select from treatment_days d where d.company_id = b.company_id
            and d.experiment_id = b.experiment_id and d.treatment_id = b.treatment_id and d.day = b.day and d = b);
      insert into base_days select d.* from experiments e
        join treatment_days d on d.company_id = e.company_id and d.experiment_id = e.id
        where e.partition = wanted
        on conflict do nothing;
      insert into partition_bases (partition, through_batch, expired_before)
        values (wanted, l.cursor_batch, expired_before)
        on conflict (partition) do update set through_batch = excluded.through_batch,
          expired_before = excluded.expired_before, taken_at = excluded.taken_at;
      return 'taken';
    end $$`,
];

/** Retired ones are detached and wait to be cleared away. */
const listMonths = `create function list_expired_months(expired_before timestamptz)
    returns table (fact_kind text, month timestamptz, is_retired boolean) ${definer} as $$
    begin
      return query
        select case when c.relname like 'events%' then 'event' else 'assignment' end, m.month, i.inhrelid is null
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public'
        left join pg_inherits i on i.inhrelid = c.oid
        cross join lateral (
          select ${monthOf('c.relname', '(assignments|events|retired_assignments)')} as month
        ) m
        where c.relkind = 'r' and m.month + interval '1 month' <= expired_before
        order by m.month, 1;
    end $$`;

const hasExpired = `create function has_expired_facts(expired_before timestamptz) returns boolean ${definer} as $$
    #variable_conflict use_variable
    begin
      return exists (select from list_expired_months(expired_before))
        or exists (select from assignments_default f where f.assigned_at < expired_before)
        or exists (select from events_default f where f.received_at < expired_before
          and coalesce(f.assigned_at < expired_before, true));
    end $$`;

/**
 * A user whose assignments go keeps one row that says so: the latest, as a current assignment whose time is up. A later
 * draw is then not taken for the user's first, and a triplet still names an assignment, older than retention.
 */
const rememberUsers = `create function remember_users(after_company text, after_nonce bytea, rows_max integer,
      month timestamptz, until timestamptz)
    returns table (last_company text, last_nonce bytea) ${definer} as $$
    #variable_conflict use_column
    begin
      return query
        with page as materialized (
          select * from assignments a
          where a.assigned_at >= month and a.assigned_at < until and (a.company_id, a.nonce) > (after_company, after_nonce)
          order by a.company_id, a.nonce limit rows_max
        ), remembered as (
          insert into current_assignments as held (company_id, experiment_id, user_id, treatment_id, nonce, assigned_at,
            expires_at, propensity, confidence, state_version, mac_key_id)
          select distinct on (company_id, experiment_id, user_id) company_id, experiment_id, user_id, treatment_id,
            nonce, assigned_at, least(expires_at, until), propensity, confidence, state_version, mac_key_id
          from page order by company_id, experiment_id, user_id, assigned_at desc, nonce desc
          on conflict (company_id, experiment_id, user_id) do update set treatment_id = excluded.treatment_id,
            nonce = excluded.nonce, assigned_at = excluded.assigned_at, expires_at = excluded.expires_at,
            propensity = excluded.propensity, confidence = excluded.confidence,
            state_version = excluded.state_version, mac_key_id = excluded.mac_key_id
          where held.assigned_at < excluded.assigned_at and held.expires_at <= excluded.assigned_at
        )
        select p.company_id, p.nonce from page p order by p.company_id desc, p.nonce desc limit 1;
    end $$`;

const functions = [
  'bases_cover(timestamptz)',
  'take_base(smallint, timestamptz)',
  'list_expired_months(timestamptz)',
  'has_expired_facts(timestamptz)',
  'remember_users(text, bytea, integer, timestamptz, timestamptz)',
  'raise_retention_floor(timestamptz)',
  'retire_assignments(timestamptz, timestamptz)',
  'clear_retired(timestamptz, text, bytea, integer)',
  'drop_retired(timestamptz)',
  'drop_events(timestamptz, timestamptz)',
  'delete_default_assignments(timestamptz, integer)',
  'delete_default_events(timestamptz, integer)',
  'trim_history(timestamptz, integer)',
  'oldest_fact_month()',
].join(', ');

const rights = [
  `do $$ begin
    create role bandit_retention nologin;
  exception when duplicate_object or unique_violation or insufficient_privilege then null; end $$`,
  `do $$ begin
    execute format('grant bandit_retention to %I', current_user);
  exception when invalid_grant_operation or invalid_role_specification or insufficient_privilege then null; end $$`,
  `revoke all on function ${functions} from public`,
  `grant execute on function ${functions} to bandit_retention`,
  `alter table experiment_bases enable row level security`,
  `alter table base_days enable row level security`,
  `create policy services on experiment_bases to bandit_learner using (true)`,
  `create policy services on base_days to bandit_learner using (true)`,
  `grant select on partition_bases, experiment_bases, base_days, dropped_facts to bandit_learner`,
];

/** The text of a function that is there, with one place changed; refused when that place is not found. */
const rewrite = (name: string, from: string, to: string) => `do $do$
  declare
    before text := pg_get_functiondef('${name}'::regproc);
    after text := replace(before, $from$${from}$from$, $to$${to}$to$);
  begin
    if after = before then raise exception '${name} does not read as expected'; end if;
    execute after;
  end $do$`;

/** A scalar subquery, as an exists might be planned to read the whole table. */
const isKnown = (alias: string, more = '') =>
  `coalesce((select true from current_assignments known where known.company_id = ${alias}.company_id
          and known.experiment_id = ${alias}.experiment_id and known.user_id = ${alias}.user_id${more} limit 1), false)`;

/** Ordered by the index that it must take: without statistics the planner read all of a company's rows of each month. */
const isEarlier = (alias: string, more = '') =>
  `coalesce((select true from assignments e where e.company_id = ${alias}.company_id
          and e.user_id = ${alias}.user_id and e.experiment_id = ${alias}.experiment_id${more}
          order by e.assigned_at limit 1), false)`;

/** A user whose assignments were dropped has a current row left: the next one is not the first. */
const firstTrials = [
  rewrite(
    'record_assignments_v1',
    'partition by company_id, experiment_id, user_id order by ord) = 1 and not',
    `partition by company_id, experiment_id, user_id order by ord) = 1
      and not ${isKnown('input')} and not`,
  ),
  rewrite(
    'accept_events_v1',
    `not exists (select 1 from assignments e where e.company_id = w.company_id and e.user_id = w.user_id
          and e.experiment_id || '' = w.experiment_id and e.assigned_at < w.assigned_at)`,
    `not ${isKnown('w', ' and known.assigned_at < w.assigned_at')}
        and not ${isEarlier('w', ' and e.assigned_at < w.assigned_at')}`,
  ),
  rewrite(
    'accept_events_v1',
    `not exists (select 1 from assignments e where e.company_id = i.company_id and e.user_id = i.user_id
          and e.experiment_id || '' = i.experiment_id)`,
    `not ${isKnown('i')} and not ${isEarlier('i')}`,
  ),
];

const statements = [
  ...tables,
  ...floorGuard,
  ...bases,
  listMonths,
  hasExpired,
  rememberUsers,
  ...drops,
  ...rights,
  ...firstTrials,
];
