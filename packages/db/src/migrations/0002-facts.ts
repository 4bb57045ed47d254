import { type Kysely, sql } from 'kysely';

/**
 * Facts are append-only. `batch` orders them: the epoch of the log in the high bits, the writing transaction's
 * xid8 in the low 42, so that a batch below the snapshot's xmin is complete and a restore into a fresh cluster
 * (whose transaction ids start again) opens a new epoch instead of going back in time.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create table log_epoch (
    only_row boolean primary key default true check (only_row),
    epoch bigint not null
  )`,
  `insert into log_epoch (epoch) values (0)`,
  `create function current_batch() returns bigint language sql volatile
    return (select epoch << 42 from log_epoch) | (pg_current_xact_id()::text::bigint)`,
  // Every batch below this value is committed or gone for good.
  `create function settled_batch() returns bigint language sql volatile
    return (select epoch << 42 from log_epoch) | (pg_snapshot_xmin(pg_current_snapshot())::text::bigint)`,
  `create table fact_batches (
    partition smallint not null,
    batch bigint not null,
    n_assignments integer not null default 0,
    n_events integer not null default 0,
    created_at timestamptz not null default clock_timestamp(),
    primary key (partition, batch)
  )`,
  // Called once by every process that writes facts, before its first write: a restored database whose transaction
  // counter lies behind the log opens the next epoch. The newest batch is read before this transaction has an id of
  // its own, so on a healthy server it always lies below; a new epoch opened by mistake would lose what is in flight.
  `create function ensure_log_epoch() returns bigint language plpgsql security definer set search_path = public as $$
    declare newest bigint;
    begin
      if pg_current_xact_id_if_assigned() is not null then
        raise exception 'ensure_log_epoch must be the first statement of its transaction';
      end if;
      perform pg_advisory_xact_lock(hashtext('log_epoch'));
      select greatest(max(batch), (select max(cursor_batch) from learner_partitions)) into newest from fact_batches;
      if newest > current_batch() then
        lock table assignments, events, fact_batches in share row exclusive mode;
        update log_epoch set epoch = (newest >> 42) + 1;
      end if;
      return (select epoch from log_epoch);
    end $$`,
  `create table assignments (
    company_id text not null,
    experiment_id text not null,
    treatment_id text not null,
    nonce bytea not null check (length(nonce) = 16),
    user_id text not null,
    assigned_at timestamptz not null,
    expires_at timestamptz not null,
    propensity double precision check (propensity > 0 and propensity <= 1),
    confidence double precision not null check (confidence between 0 and 1),
    state_version bigint not null,
    predictions double precision[],
    context jsonb,
    source text not null check (source in ('draw', 'restored', 'client')),
    mac_key_id text not null,
    is_first boolean not null,
    value double precision,
    metadata jsonb,
    recorded_at timestamptz not null default clock_timestamp(),
    partition smallint not null,
    batch bigint not null default current_batch(),
    position integer not null,
    primary key (company_id, nonce, assigned_at),
    foreign key (company_id, experiment_id, treatment_id)
      references treatments (company_id, experiment_id, id)
  ) partition by range (assigned_at)`,
  `create table assignments_default partition of assignments default`,
  `create index assignments_by_user on assignments (company_id, user_id, experiment_id, assigned_at)`,
  // The tie-breaker is carried along, not a key: a planner without statistics takes any index that holds two of the
  // wanted columns for as good as the primary key.
  `create index assignments_by_receipt on assignments (company_id, experiment_id, recorded_at) include (nonce)`,
  `create index assignments_by_batch on assignments (partition, batch, position)`,
  // The row that decides who has what. Not partitioned: unique on (company, experiment, user) is the law.
  `create table current_assignments (
    company_id text not null,
    experiment_id text not null,
    user_id text not null,
    treatment_id text not null,
    nonce bytea not null,
    assigned_at timestamptz not null,
    expires_at timestamptz not null,
    propensity double precision,
    confidence double precision not null,
    state_version bigint not null,
    mac_key_id text not null,
    n_draws integer not null default 1,
    primary key (company_id, experiment_id, user_id),
    foreign key (company_id, experiment_id, treatment_id)
      references treatments (company_id, experiment_id, id)
  ) with (fillfactor = 90)`,
  // Identity of every event: what makes a retry harmless and a repeat a 409.
  `create table event_keys (
    company_id text not null,
    key bytea not null,
    event_id text not null,
    received_at timestamptz not null default clock_timestamp(),
    primary key (company_id, key)
  ) partition by hash (company_id, key)`,
  ...Array.from(
    { length: 8 },
    (_, remainder) =>
      `create table event_keys_${remainder} partition of event_keys for values with (modulus 8, remainder ${remainder})`,
  ),
  `create table events (
    company_id text not null,
    experiment_id text not null,
    treatment_id text not null,
    id text not null,
    user_id text not null,
    event_type text not null check (event_type in ('ASSIGNMENT', 'CONVERSION', 'CLICK', 'VIEW', 'CUSTOM')),
    value double precision,
    metadata jsonb not null default '{}',
    source text not null check (source in ('client', 'funnel')),
    funnel_id text,
    assignment_nonce bytea,
    assigned_at timestamptz,
    occurred_at timestamptz,
    received_at timestamptz not null default clock_timestamp(),
    partition smallint not null,
    batch bigint not null default current_batch(),
    position integer not null,
    primary key (company_id, id, received_at),
    foreign key (company_id, experiment_id, treatment_id)
      references treatments (company_id, experiment_id, id)
  ) partition by range (received_at)`,
  `create table events_default partition of events default`,
  `create index events_by_receipt on events (company_id, experiment_id, received_at) include (id)`,
  `create index events_by_user on events (company_id, user_id)`,
  `create index events_by_batch on events (partition, batch, position)`,
  // Makes the monthly partitions from the current month on; the default partition is the net under them. A new partition
  // locks its parent for a moment: behind a long transaction it gives up rather than hold the writers back.
  `create function ensure_fact_partitions(months_ahead integer) returns void
    language plpgsql security definer set search_path = public set lock_timeout = '2s' as $$
    declare
      start timestamptz; parent text; child text;
    begin
      for i in 0..months_ahead loop
        start := date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' + make_interval(months => i);
        foreach parent in array array['assignments', 'events'] loop
          child := parent || to_char(start at time zone 'UTC', '_YYYY_MM');
          if to_regclass(child) is null then
            begin
              execute format('create table %I partition of %I for values from (%L) to (%L)',
                child, parent, start, start + interval '1 month');
            exception when check_violation then
              -- Rows of that month already lie in the default partition: they stay there.
              raise warning 'partition % not made: the default partition holds rows of it', child;
            end;
          end if;
        end loop;
      end loop;
    end $$`,
  `select ensure_fact_partitions(2)`,
];
