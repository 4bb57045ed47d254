import { type Kysely, sql } from 'kysely';

/**
 * Accepting events in one statement.
 *
 * `accept_events_v1` takes many requests' items (JSON array of `accept_item`, pairwise without common keys but for
 * `trial_key` against another's `trial_key`) and returns one verdict an item. Locks are taken in one order everywhere
 * (assignments by nonce, current rows, then keys), so two such statements cannot wait for each other in a circle.
 * (`experiment_id || ''` keeps that column out of index choice: without statistics the planner takes the index by
 * experiment for as good as the one by user.) Each statement of the function sees what was committed until then (read committed): after a wait for another's key
 * the next one reads the other's row.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

/** Assignments that this transaction added, by partition: events take the positions after them. */
const addedCounts = `select p.partition, count(*) as n from unnest(added_to) p(partition) group by 1`;

const restoreAssignments = `
    with wanted as (
      select distinct on (i.company_id, i.nonce) i.*, to_timestamp(i.assigned_ms / 1000.0) as assigned_at
      from unnest(items) i
      where i.is_signed and not exists (select 1 from assignments a where a.company_id = i.company_id
        and a.nonce = i.nonce and a.assigned_at = to_timestamp(i.assigned_ms / 1000.0))
      order by i.company_id, i.nonce
    ), added as (
      insert into assignments (company_id, experiment_id, treatment_id, nonce, user_id, assigned_at, expires_at,
        propensity, confidence, state_version, source, mac_key_id, is_first, recorded_at, partition, batch, position)
      select w.company_id, w.experiment_id, w.treatment_id, w.nonce, w.user_id, w.assigned_at,
        to_timestamp(w.expires_ms / 1000.0), w.propensity, w.confidence, w.state_version,
        case when w.propensity is null then 'client' else 'restored' end, w.mac_key_id,
        not exists (select 1 from assignments e where e.company_id = w.company_id and e.user_id = w.user_id
          and e.experiment_id || '' = w.experiment_id and e.assigned_at < w.assigned_at),
        instant, w.partition, this_batch, row_number() over (partition by w.partition order by w.nonce) - 1
      from wanted w order by w.company_id, w.nonce
      on conflict do nothing returning *
    ), made_current as (
      insert into current_assignments (company_id, experiment_id, user_id, treatment_id, nonce, assigned_at,
        expires_at, propensity, confidence, state_version, mac_key_id)
      select distinct on (company_id, experiment_id, user_id) company_id, experiment_id, user_id, treatment_id, nonce,
        assigned_at, expires_at, propensity, confidence, state_version, mac_key_id
      from added where source = 'restored' and expires_at > instant
      order by company_id, experiment_id, user_id, assigned_at desc
      on conflict do nothing
    )
    select array_agg(a.partition) into added_to from added a`;

/** A fact must lie in a later batch than its assignment; the next run of the statement has a later one. */
const refuseEarlierBatch = `
    if exists (select 1 from unnest(items) i join assignments a on a.company_id = i.company_id and a.nonce = i.nonce
        and a.assigned_at = to_timestamp(i.assigned_ms / 1000.0)
      where a.batch > this_batch) then
      raise exception 'an assignment was committed by a later transaction: run again' using errcode = '40001';
    end if`;

const claimKeys = `
    insert into event_keys (company_id, key, event_id, received_at)
    select distinct on (company_id, key) company_id, key, event_id, instant from (
      select i.company_id, k.key, i.event_id from unnest(items) i, unnest(i.keys) k(key)
      union all
      select i.company_id, i.trial_key, i.trial_event_id from unnest(items) i where i.trial_key is not null
    ) wanted
    order by company_id, key
    on conflict do nothing`;

/**
 * Only where a key was not free. Own first key already there under the own event id: this very item was committed by an
 * earlier run. A key that this transaction wrote is told by its xmin.
 */
const judgeItems = `
    select array_agg(jsonb_populate_record(v.i, jsonb_build_object('lost_to', v.lost_to, 'is_rerun', v.is_rerun,
      'has_trial', v.has_trial, 'earlier_at', v.earlier_at)))
    into items from (
      select i, f.event_id is not null as is_rerun,
        case when f.event_id is null then o.event_id end as lost_to,
        case when f.event_id is null then o.received_at else f.received_at end as earlier_at,
        i.trial_key is not null and not exists (select 1 from event_keys t where t.company_id = i.company_id
          and t.key = i.trial_key and t.xmin = this_xid) as has_trial
      from unnest(items) i
      left join event_keys f on f.company_id = i.company_id and f.key = i.keys[1] and f.event_id = i.event_id
        and f.xmin <> this_xid
      left join (
        select distinct on (j.item) j.item, k.event_id, k.received_at
        from unnest(items) j, unnest(j.keys) with ordinality w(key, place), event_keys k
        where k.company_id = j.company_id and k.key = w.key and k.xmin <> this_xid
        order by j.item, w.place
      ) o on o.item = i.item
    ) v`;

const giveBackKeys = `
    delete from event_keys k using (
      select i.company_id, unnest(i.keys || i.trial_key) as key from unnest(items) i where i.lost_to is not null
    ) lost
    where k.company_id = lost.company_id and k.key = lost.key and k.xmin = this_xid`;

/** Won now: not lost, and not by an earlier run. */
const isNew = `i.lost_to is null and i.is_rerun is not true`;
const makesTrial = `${isNew} and (i.kind = 'trial' or i.trial_key is not null and i.has_trial is not true)`;

const makeTrials = `
    with made as (
      insert into assignments (company_id, experiment_id, treatment_id, nonce, user_id, assigned_at, expires_at,
        propensity, confidence, state_version, source, mac_key_id, is_first, value, metadata, recorded_at, partition,
        batch, position)
      select i.company_id, i.experiment_id, i.treatment_id, i.nonce, i.user_id, moment, moment, null, 0, 0, 'client',
        i.mac_key_id,
        not exists (select 1 from assignments e where e.company_id = i.company_id and e.user_id = i.user_id
          and e.experiment_id || '' = i.experiment_id),
        case when i.kind = 'trial' then i.value end, case when i.kind = 'trial' then i.metadata end, instant,
        i.partition, this_batch, coalesce(c.n, 0) + row_number() over (partition by i.partition order by i.nonce) - 1
      from unnest(items) i
      left join (${addedCounts}) c on c.partition = i.partition
      where ${makesTrial}
      order by i.company_id, i.nonce
      returning partition
    )
    select added_to || array_agg(m.partition) into added_to from made m`;

/** Of a client-made trial that was there before, by its nonce alone: its instant is in no id that came in. */
const assignedAt = `case when i.kind <> 'trial' and i.trial_key is null then to_timestamp(i.assigned_ms / 1000.0)
        when i.has_trial is true or i.is_rerun is true or i.lost_to is not null then (
          select a.assigned_at from assignments a where a.company_id = i.company_id and a.nonce = i.nonce
          order by a.batch limit 1)
        else moment end`;

const addEvents = `
    insert into events (company_id, experiment_id, treatment_id, id, user_id, event_type, value, metadata, source,
      assignment_nonce, assigned_at, occurred_at, received_at, partition, batch, position)
    select i.company_id, i.experiment_id, i.treatment_id, i.event_id, i.user_id, i.event_type, i.value, i.metadata,
      'client', i.nonce, ${assignedAt}, to_timestamp(i.occurred_ms / 1000.0), instant, i.partition, this_batch,
      coalesce(c.n, 0) + row_number() over (partition by i.partition order by i.item) - 1
    from unnest(items) i
    left join (${addedCounts}) c on c.partition = i.partition
    where ${isNew} and i.kind = 'event'`;

const addFactBatches = `
    insert into fact_batches (partition, batch, n_assignments, n_events)
    select coalesce(c.partition, e.partition), this_batch, coalesce(c.n, 0), coalesce(e.n, 0)
    from (${addedCounts}) c
    full join (
      select i.partition, count(*) as n from unnest(items) i where ${isNew} and i.kind = 'event' group by 1
    ) e on e.partition = c.partition`;

const statements = [
  `create type accept_item as (
    item integer, kind text, company_id text, experiment_id text, treatment_id text, partition smallint,
    user_id text, event_id text, event_type text, value double precision, metadata jsonb, occurred_ms bigint,
    keys bytea[], trial_key bytea, trial_event_id text, nonce bytea, is_signed boolean, assigned_ms bigint,
    expires_ms bigint, propensity double precision, confidence double precision, state_version bigint,
    mac_key_id text,
    -- Verdict; null in the input. lost_to: the event that holds one of the keys.
    lost_to text, is_rerun boolean, has_trial boolean, earlier_at timestamptz
  )`,
  `create function accept_events_v1(input jsonb)
    returns table (item integer, is_won boolean, event_id text, received_at timestamptz, assigned_at timestamptz)
    language plpgsql set search_path = public as $body$
  #variable_conflict use_column
  declare
    this_batch bigint := current_batch();
    this_xid xid := pg_current_xact_id()::xid;
    instant timestamptz := clock_timestamp();
    -- An id carries milliseconds: the instant of a client-made trial is cut to them.
    moment timestamptz := date_trunc('milliseconds', instant);
    items accept_item[];
    added_to smallint[] := '{}';
    n_wanted integer;
    n_claimed integer;
  begin
    select array_agg(x) into items from jsonb_populate_recordset(null::accept_item, input) x;
    select coalesce(sum(cardinality(i.keys)), 0) + count(i.trial_key) into n_wanted from unnest(items) i;
    if exists (select 1 from unnest(items) i where i.is_signed) then
      ${restoreAssignments};
    end if;
    ${refuseEarlierBatch};
    ${claimKeys};
    get diagnostics n_claimed = row_count;
    if n_claimed < n_wanted then
      ${judgeItems};
      ${giveBackKeys};
    end if;
    if exists (select 1 from unnest(items) i where ${makesTrial}) then
      ${makeTrials};
    end if;
    ${addEvents};
    ${addFactBatches};
    return query select i.item, i.lost_to is null and i.kind <> 'restore', coalesce(i.lost_to, i.event_id),
      coalesce(i.earlier_at, instant), ${assignedAt}
      from unnest(items) i;
  end $body$`,
];
