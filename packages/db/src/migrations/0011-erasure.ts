import { type Kysely, sql } from 'kysely';

/**
 * Erasing an end user (docs/adr/0007-erasure.md): the tombstones, the two functions that look at them before they write
 * facts, and the seal that lets an experiment forget what it learned a user's facts from.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const tombstones = [
  // `subject` is a keyed hash of company and user id; the key is not in the database. Of before `erased_at` nothing may
  // come back; 'infinity' for the pseudonym that took a user's place.
  `create table erased_subjects (
    company_id text not null references companies (id),
    subject bytea not null check (length(subject) = 32),
    erased_at timestamptz not null,
    changed_at timestamptz not null default clock_timestamp(),
    primary key (company_id, subject)
  )`,
  `create index erased_subjects_by_change on erased_subjects (changed_at)`,
  `alter table erased_subjects enable row level security`,
  `create policy tenant on erased_subjects to bandit_app, bandit_eraser
    using (company_id = current_setting('app.company_id', true))
    with check (company_id = current_setting('app.company_id', true))`,
  `create policy services on erased_subjects to bandit_accept using (true)`,
  `grant select on erased_subjects to bandit_app, bandit_accept`,
  `grant select, insert, update on erased_subjects to bandit_eraser`,
  // A client's own event ids are the client's words: found by the event that holds them.
  `create index event_keys_of_clients on event_keys (company_id, event_id) where get_byte(key, 0) = 2`,
];

/**
 * The transaction takes its number before it looks for tombstones: whoever erases waits for every number that was given
 * when the tombstone was committed, and all later ones see it.
 */
const guards = [
  // Items of an erased user are left out and told; one on an assignment of after the erasure is another subject's.
  `create function accept_events_v2(input jsonb)
    returns table (item integer, is_won boolean, event_id text, received_at timestamptz, assigned_at timestamptz,
      is_erased boolean)
    language plpgsql set search_path = public as $$
    #variable_conflict use_column
    declare
      this_batch bigint := current_batch();
      gone integer[];
      kept jsonb := input;
    begin
      if exists (select 1 from erased_subjects) then
        select array_agg(i.item) into gone
        from jsonb_to_recordset(input) i(item integer, company_id text, subject bytea, assigned_ms bigint)
        join erased_subjects e on e.company_id = i.company_id and e.subject = i.subject
        where i.assigned_ms is null or to_timestamp(i.assigned_ms / 1000.0) <= e.erased_at;
      end if;
      if gone is not null then
        return query select g, false, '', clock_timestamp(), null::timestamptz, true from unnest(gone) g;
        select coalesce(jsonb_agg(x), '[]') into kept from jsonb_array_elements(input) x
          where (x ->> 'item')::integer <> all(gone);
      end if;
      if jsonb_array_length(kept) > 0 then
        return query select v.item, v.is_won, v.event_id, v.received_at, v.assigned_at, false
          from accept_events_v1(kept) v;
      end if;
    end $$`,
  // Records all, or nothing and tells which ones are of an erased user.
  `create function record_assignments_v2(company_ids text[], experiment_ids text[], treatment_ids text[],
      partitions smallint[], user_ids text[], nonces bytea[], assigned_times bigint[], expiry_times bigint[],
      propensities float8[], confidences float8[], state_versions bigint[], prediction_texts text[],
      context_texts text[], mac_key_ids text[], stickies boolean[], dropped_nonces bytea[], subjects bytea[])
    returns table (decided_nonce text, is_erased boolean) language plpgsql set search_path = public as $$
    #variable_conflict use_column
    declare
      this_batch bigint := current_batch();
    begin
      if exists (select 1 from erased_subjects) then
        return query select encode(i.nonce, 'hex'), true
          from unnest(company_ids, nonces, assigned_times, subjects) i(company_id, nonce, assigned_ms, subject)
          join erased_subjects e on e.company_id = i.company_id and e.subject = i.subject
          where to_timestamp(i.assigned_ms / 1000.0) <= e.erased_at;
        if found then return; end if;
      end if;
      return query select r.recorded_nonce, false from record_assignments_v1(company_ids, experiment_ids,
        treatment_ids, partitions, user_ids, nonces, assigned_times, expiry_times, propensities, confidences,
        state_versions, prediction_texts, context_texts, mac_key_ids, stickies, dropped_nonces) r;
    end $$`,
];

const eventIdOf = (nonce: string) =>
  `'evt_' || rtrim(translate(encode(${nonce}, 'base64'), '+/', '-_'), '=')`;

const seal = [
  // Of one experiment alone, beside the base of its whole partition: the later of the two holds.
  `alter table experiment_bases add column through_batch bigint, add column n_seals integer not null default 0`,
  /**
   * Takes what the learner holds of the experiment as the base of later rebuilds, so that none of them needs the facts of
   * before again, and gives the user's client-made assignments nonces of chance: theirs tell the user. The lock on the
   * partition keeps folds and rebuilds from being committed meanwhile; a rebuild that runs finds the base moved.
   */
  `create function seal_subject(wanted_company text, wanted_experiment text, wanted_user text, until timestamptz)
    returns text language plpgsql security definer set search_path = public set lock_timeout = '2s' as $$
    #variable_conflict use_variable
    declare
      l learner_partitions;
      a record;
      fresh bytea;
    begin
      if wanted_company is distinct from current_setting('app.company_id', true) then
        raise exception 'only facts of the own company can be sealed';
      end if;
      select p.* into strict l from experiments e join learner_partitions p using (partition)
        where e.company_id = wanted_company and e.id = wanted_experiment for update of p;
      if exists (select from assignments f where f.company_id = wanted_company and f.user_id = wanted_user
          and f.experiment_id = wanted_experiment and f.assigned_at <= until and f.batch > l.cursor_batch)
        or exists (select from events f where f.company_id = wanted_company and f.user_id = wanted_user
          and f.experiment_id = wanted_experiment and coalesce(f.assigned_at <= until, true)
          and f.batch > l.cursor_batch) then
        return 'unlearned';
      end if;
      insert into experiment_bases (company_id, experiment_id, version, last_swap, state, through_batch, n_seals)
        select s.company_id, s.experiment_id, s.version, coalesce((select max(w.seq) from model_swaps w
          where w.company_id = s.company_id and w.experiment_id = s.experiment_id), 0), s.state, l.cursor_batch, 1
        from experiment_states s where s.company_id = wanted_company and s.experiment_id = wanted_experiment
        on conflict (company_id, experiment_id) do update set n_seals = experiment_bases.n_seals + 1,
          version = excluded.version, last_swap = excluded.last_swap, state = excluded.state, through_batch = excluded.through_batch;
      -- Without a state nothing was learned: nothing that a rebuild could miss.
      if found then
        delete from base_days b where b.company_id = wanted_company and b.experiment_id = wanted_experiment;
        insert into base_days select d.* from treatment_days d
          where d.company_id = wanted_company and d.experiment_id = wanted_experiment;
      end if;
      for a in select f.nonce, f.assigned_at from assignments f where f.company_id = wanted_company
          and f.user_id = wanted_user and f.experiment_id = wanted_experiment and f.source = 'client'
          and f.assigned_at <= until loop
        fresh := uuid_send(gen_random_uuid());
        update assignments f set nonce = fresh
          where f.company_id = wanted_company and f.nonce = a.nonce and f.assigned_at = a.assigned_at;
        update events f set assignment_nonce = fresh where f.company_id = wanted_company
          and f.user_id = wanted_user and f.assignment_nonce = a.nonce;
        update assignment_outcomes f set nonce = fresh
          where f.company_id = wanted_company and f.nonce = a.nonce;
        update fact_exceptions f set fact_id = ${eventIdOf('fresh')} where f.company_id = wanted_company
          and f.fact_kind = 'assignment' and f.fact_id = ${eventIdOf('a.nonce')};
      end loop;
      return 'sealed';
    end $$`,
  `revoke all on function seal_subject(text, text, text, timestamptz) from public`,
  `grant execute on function seal_subject(text, text, text, timestamptz) to bandit_eraser`,
];

const statements = [...tombstones, ...guards, ...seal];
