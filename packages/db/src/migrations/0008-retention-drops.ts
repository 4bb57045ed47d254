/** The part of migration 0008-retention that takes facts away. */

/** A step that somebody keeps waiting gives up and is tried again later: behind it all writers would wait. */
export const definer = `language plpgsql security definer set search_path = public set lock_timeout = '500ms'`;

const refuseEarly = `if expired_before > now() - interval '1 day' then
      raise exception 'facts of the last day cannot be dropped: %', expired_before;
    end if`;
const refuseUncovered = `if not bases_cover(expired_before) then
      raise exception 'a fact that is to be dropped is not in the base' using errcode = 'BR001';
    end if`;

/** The month that a partition's name says; null for another name. */
export const monthOf = (name: string, tables: string) => `case when ${name} ~ '^${tables}_[0-9]{4}_[0-9]{2}$'
          then to_timestamp(right(${name}, 7), 'YYYY_MM')::timestamp at time zone 'UTC' end`;

const countDropped = (kind: string, from: string) => `
        insert into dropped_facts (fact_kind, month, partition, n)
        select '${kind}', date_trunc('month', f.at at time zone 'UTC')::date, f.partition, count(*)
        from ${from} f group by 2, 3
        on conflict on constraint dropped_facts_pkey do update set n = dropped_facts.n + excluded.n`;

const countMonth = (kind: string) => `
      insert into dropped_facts (fact_kind, month, partition, n)
        select '${kind}', (month at time zone 'UTC')::date, key::smallint, value::bigint from jsonb_each_text(counts)
        on conflict on constraint dropped_facts_pkey do update set n = dropped_facts.n + excluded.n`;

/** What a missing partition let fall into the default one: a page of it. Their outcomes go with assignments. */
const deleteDefault = (kind: 'assignment' | 'event', isExpired: (alias: string) => string) => `
  create function delete_default_${kind}s(expired_before timestamptz, rows_max integer) returns bigint ${definer} as $$
    #variable_conflict use_variable
    declare n_gone bigint;
    begin
      perform raise_retention_floor(expired_before);
      if not exists (select from ${kind}s_default f where ${isExpired('f')}) then return 0; end if;
      ${refuseUncovered};
      with gone as (
        delete from ${kind}s_default f where f.ctid = any(array(select d.ctid from ${kind}s_default d
          where ${isExpired('d')} limit rows_max))
        returning f.partition, f.company_id,
          ${kind === 'assignment' ? 'f.nonce, f.assigned_at' : 'null::bytea as nonce, f.received_at'} as at
      ), cleared as (
        delete from assignment_outcomes o using gone f where o.company_id = f.company_id and o.nonce = f.nonce
      ), counted as (${countDropped(kind, 'gone')}
      )
      select count(*) into n_gone from gone;
      return n_gone;
    end $$`;

export const drops = [
  `create function raise_retention_floor(expired_before timestamptz) returns void ${definer} as $$
    #variable_conflict use_variable
    begin
      ${refuseEarly};
      update retention_floor f set expired_before = expired_before where f.expired_before < expired_before;
    end $$`,
  // Takes a month of assignments out in a moment. Counted before the transaction has an id of its own.
  `create function retire_assignments(month timestamptz, expired_before timestamptz) returns bigint ${definer} as $$
    #variable_conflict use_variable
    declare
      suffix text := to_char(month at time zone 'UTC', '_YYYY_MM');
      counts jsonb;
    begin
      ${refuseEarly};
      if month + interval '1 month' > expired_before then
        raise exception 'the month of % has not expired', month;
      end if;
      execute format('lock table %I in share row exclusive mode', 'assignments' || suffix);
      execute format('select coalesce(jsonb_object_agg(partition, n), ''{}'') from
        (select partition, count(*) as n from %I group by 1) c', 'assignments' || suffix) into counts;
      -- Whoever still reads or writes by an assignment of that month has ended once this is granted.
      lock table assignments in access exclusive mode;
      ${refuseUncovered};
      perform raise_retention_floor(expired_before);${countMonth('assignment')};
      execute format('alter table assignments detach partition %I', 'assignments' || suffix);
      execute format('alter table %I rename to %I', 'assignments' || suffix, 'retired_assignments' || suffix);
      return (select coalesce(sum(value::bigint), 0) from jsonb_each_text(counts));
    end $$`,
  // Outcomes of assignments that are gone, a page at a time; null once there is none left.
  `create function clear_retired(month timestamptz, after_company text, after_nonce bytea, rows_max integer)
    returns table (last_company text, last_nonce bytea) ${definer} as $$
    begin
      return query execute format('
        with page as materialized (
          select company_id, nonce from %I where (company_id, nonce) > ($1, $2) order by company_id, nonce limit $3
        ), cleared as (
          delete from assignment_outcomes o using page p where o.company_id = p.company_id and o.nonce = p.nonce
        )
        select company_id, nonce from page order by company_id desc, nonce desc limit 1',
        'retired_assignments' || to_char(month at time zone 'UTC', '_YYYY_MM'))
      using after_company, after_nonce, rows_max;
    end $$`,
  `create function drop_retired(month timestamptz) returns void ${definer} as $$
    begin
      execute format('drop table %I', 'retired_assignments' || to_char(month at time zone 'UTC', '_YYYY_MM'));
    end $$`,
  // After the assignments of the same months. An event received before an assignment that is kept (another clock wrote
  // that one's time) moves to the default partition and goes with the assignment.
  `create function drop_events(month timestamptz, expired_before timestamptz) returns bigint ${definer} as $$
    #variable_conflict use_variable
    declare
      child text := 'events' || to_char(month at time zone 'UTC', '_YYYY_MM');
      counts jsonb;
    begin
      ${refuseEarly};
      if month + interval '1 month' > expired_before then
        raise exception 'the month of % has not expired', month;
      end if;
      execute format('lock table %I in share row exclusive mode', child);
      execute format('select coalesce(jsonb_object_agg(partition, n), ''{}'') from
        (select partition, count(*) as n from %I where coalesce(assigned_at < $1, true) group by 1) c', child)
        into counts using expired_before;
      lock table events in access exclusive mode;
      ${refuseUncovered};${countMonth('event')};
      execute format('create temporary table kept_events on commit drop as select * from %I where assigned_at >= $1',
        child) using expired_before;
      execute format('drop table %I', child);
      insert into events select * from kept_events;
      drop table kept_events;
      return (select coalesce(sum(value::bigint), 0) from jsonb_each_text(counts));
    end $$`,
  // What a missing partition let fall into the default one: a page of it. Their outcomes go with assignments.
  deleteDefault('assignment', (f) => `${f}.assigned_at < expired_before`),
  deleteDefault(
    'event',
    (f) => `${f}.received_at < expired_before and coalesce(${f}.assigned_at < expired_before, true)`,
  ),
  // What only tells of facts that are in the bases: batches, chunks, networks, and exceptions of facts that are gone
  // (a day more, as two clocks wrote the times). One page of each; 0 once there is none left.
  `create function trim_history(expired_before timestamptz, rows_max integer) returns bigint ${definer} as $$
    #variable_conflict use_column
    declare n_gone bigint;
    begin
      perform raise_retention_floor(expired_before);
      with batches as (
        delete from fact_batches t where t.ctid = any(array(select f.ctid from fact_batches f
          join partition_bases b using (partition) join learner_partitions l using (partition)
          where f.batch <= least(b.through_batch, l.published_batch)
            and f.created_at < trim_history.expired_before limit rows_max)) returning 1
      ), chunks as (
        delete from folds t where t.ctid = any(array(select f.ctid from folds f
          join partition_bases b using (partition) where f.through_batch <= b.through_batch limit rows_max)) returning 1
      ), networks as (
        -- The newest stays: it carries the number.
        delete from model_swaps t where t.ctid = any(array(select w.ctid from model_swaps w
          join experiment_bases b using (company_id, experiment_id) where w.seq < b.last_swap limit rows_max)) returning 1
      ), exceptions as (
        delete from fact_exceptions t where t.ctid = any(array(select x.ctid from fact_exceptions x
          join partition_bases b using (partition) where x.batch <= b.through_batch
            and x.created_at < trim_history.expired_before - interval '1 day' limit rows_max))
        returning t.partition, t.created_at as at
      ), counted as (${countDropped('exception', 'exceptions')}
      )
      select (select count(*) from batches) + (select count(*) from chunks) + (select count(*) from networks)
        + (select count(*) from exceptions) into n_gone;
      return n_gone;
    end $$`,
  `create function oldest_fact_month() returns timestamptz ${definer} as $$
    begin
      return (select min(${monthOf('c.relname', 'assignments')})
        from pg_class c join pg_inherits i on i.inhrelid = c.oid where i.inhparent = 'assignments'::regclass);
    end $$`,
];
