-- Users that the services log in with, each with the least it needs. Run by a superuser (or, on a managed Postgres, its
-- administrator) with psql, connected to the platform's database, before the first `migrate`; run again whenever a
-- password changes. Running it twice changes nothing else.
--
--   export BANDIT_MIGRATOR_PASSWORD=… BANDIT_ASSIGNMENT_PASSWORD=… BANDIT_INGEST_PASSWORD=… \
--     BANDIT_LEARNING_PASSWORD=… BANDIT_MANAGEMENT_PASSWORD=… BANDIT_ERASING_PASSWORD=…
--   psql "$ADMIN_URL" -X -v ON_ERROR_STOP=1 -f infra/postgres/roles.sql
--
-- | login             | acts as                    | may                                                              |
-- |-------------------|----------------------------|------------------------------------------------------------------|
-- | bandit_migrator   | owner of the database      | make and change the schema (`pnpm migrate`); nothing else runs as it |
-- | bandit_assignment | bandit_accept              | insert assignments and events; of keys: ids, hashes, scopes; no people |
-- | bandit_ingest     | bandit_accept              | the same                                                         |
-- | bandit_learning   | bandit_learner (+ on request) | read facts, write state; no people, no key names               |
-- | bandit_management | bandit_app (+ on request)  | one company at a time; add facts, never change or delete them    |
-- | bandit_erasing    | bandit_eraser              | change and delete what is kept about an end user, one company at a time |
--
-- The group roles on the right are given their rights by the migrations 0004, 0008 and 0009. Where one process both accepts
-- and learns (INGEST_PARTS=accept,learner) its login needs both: grant bandit_learner to bandit_ingest.
--
-- Tried on Postgres 15 by packages/db/test/roles.test.ts, from this very file.
\set ON_ERROR_STOP on

\getenv migrator_password BANDIT_MIGRATOR_PASSWORD
\getenv assignment_password BANDIT_ASSIGNMENT_PASSWORD
\getenv ingest_password BANDIT_INGEST_PASSWORD
\getenv learning_password BANDIT_LEARNING_PASSWORD
\getenv management_password BANDIT_MANAGEMENT_PASSWORD
\getenv erasing_password BANDIT_ERASING_PASSWORD

-- Passwords must not end up in the server's log.
set log_statement = 'none';
set log_min_duration_statement = -1;
set log_min_error_statement = 'panic';
set password_encryption = 'scram-sha-256';

begin;

do $$
declare
  missing text;
begin
  foreach missing in array array['bandit_app', 'bandit_accept', 'bandit_learner', 'bandit_eraser',
      'bandit_retention'] loop
    if not exists (select from pg_roles where rolname = missing) then
      execute format('create role %I nologin', missing);
    end if;
  end loop;
  -- What management and the learner may act as when they ask for it (set role), and do not have by themselves: NOINHERIT
  -- cuts the line.
  foreach missing in array array['bandit_on_request', 'bandit_follows_configuration'] loop
    if not exists (select from pg_roles where rolname = missing) then
      execute format('create role %I nologin noinherit', missing);
    end if;
  end loop;
  foreach missing in array array['bandit_migrator', 'bandit_assignment', 'bandit_ingest', 'bandit_learning',
      'bandit_management', 'bandit_erasing'] loop
    if not exists (select from pg_roles where rolname = missing) then
      execute format('create role %I', missing);
    end if;
    execute format('alter role %I login nosuperuser nocreatedb nocreaterole noreplication nobypassrls', missing);
  end loop;
end $$;

alter role bandit_migrator password :'migrator_password';
alter role bandit_assignment password :'assignment_password';
alter role bandit_ingest password :'ingest_password';
alter role bandit_learning password :'learning_password';
alter role bandit_management password :'management_password';
alter role bandit_erasing password :'erasing_password';

grant bandit_accept to bandit_assignment, bandit_ingest;
grant bandit_learner to bandit_learning;
-- A learner's process, like every process, follows clock, configuration and keys (by id and hash) as bandit_accept.
grant bandit_accept to bandit_follows_configuration;
grant bandit_follows_configuration to bandit_learning;
grant bandit_eraser to bandit_erasing;
-- bandit_accept for the configuration of all companies (keys by id and hash) and the keys' last use, which every process
-- follows; bandit_eraser for DELETE /subjects/:userId; bandit_retention to drop what is older than RETENTION_DAYS.
grant bandit_accept, bandit_eraser, bandit_retention to bandit_on_request;
grant bandit_app, bandit_on_request to bandit_management;
-- So that one process may do everything as the owner (`start` with DATABASE_URL), and so that migrations, which grant
-- these roles to whoever migrates, need no right to do so.
grant bandit_app, bandit_accept, bandit_learner, bandit_eraser, bandit_retention to bandit_migrator;

select format('alter database %I owner to bandit_migrator', current_database()) \gexec
select format('revoke all on database %I from public', current_database()) \gexec
select format('grant connect on database %I to bandit_migrator, bandit_assignment, bandit_ingest, bandit_learning,
  bandit_management, bandit_erasing', current_database()) \gexec
-- A database made by Postgres 14 or earlier lets everybody make tables in it.
revoke create on schema public from public;
grant create, usage on schema public to bandit_migrator;

commit;
