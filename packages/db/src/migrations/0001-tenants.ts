import { type Kysely, sql } from 'kysely';

/** Companies and what their people manage. `company_id` leads every key (DESIGN, Scale). */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create table companies (
    id text primary key,
    name text not null,
    config_version bigint not null default 1,
    created_at timestamptz not null default now()
  )`,
  `create table members (
    company_id text not null references companies (id),
    id text not null,
    email text not null unique check (email = lower(email)),
    role text not null check (role in ('admin', 'member')),
    created_at timestamptz not null default now(),
    primary key (company_id, id)
  )`,
  `create table api_keys (
    company_id text not null references companies (id),
    id text not null,
    key_id text not null unique,
    name text not null,
    prefix text not null,
    secret_hash bytea not null check (length(secret_hash) = 32),
    scopes text[] not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    primary key (company_id, id)
  )`,
  `create table experiments (
    company_id text not null references companies (id),
    id text not null,
    partition smallint not null check (partition >= 0),
    name text not null,
    description text,
    algorithm text not null,
    algorithm_config jsonb not null default '{}',
    content_type text not null,
    status text not null default 'draft'
      check (status in ('draft', 'active', 'paused', 'completed', 'archived')),
    assignment_ttl integer not null check (assignment_ttl >= 0),
    end_at timestamptz,
    activated_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (company_id, id),
    unique (id)
  )`,
  `create index experiments_due on experiments (end_at) where status in ('active', 'paused') and end_at is not null`,
  `create table treatments (
    company_id text not null,
    experiment_id text not null,
    id text not null,
    position smallint not null check (position >= 0),
    name text not null,
    description text,
    config jsonb not null,
    weight double precision not null check (weight > 0),
    is_control boolean not null default false,
    is_original boolean not null default true,
    strategy text,
    created_at timestamptz not null default now(),
    removed_at timestamptz,
    primary key (company_id, experiment_id, id),
    unique (company_id, experiment_id, position),
    unique (company_id, id),
    foreign key (company_id, experiment_id) references experiments (company_id, id)
  )`,
  `create unique index treatments_one_control on treatments (company_id, experiment_id)
    where is_control and removed_at is null`,
  `create table funnels (
    company_id text not null references companies (id),
    id text not null,
    name text not null,
    description text,
    status text not null default 'draft' check (status in ('draft', 'active', 'paused', 'completed')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    primary key (company_id, id)
  )`,
  `create table funnel_experiments (
    company_id text not null,
    funnel_id text not null,
    position smallint not null,
    experiment_id text not null,
    primary key (company_id, funnel_id, position),
    unique (company_id, funnel_id, experiment_id),
    foreign key (company_id, funnel_id) references funnels (company_id, id),
    foreign key (company_id, experiment_id) references experiments (company_id, id)
  )`,
  `create table funnel_rewards (
    company_id text not null,
    funnel_id text not null,
    user_id text not null,
    value double precision not null check (value >= 0),
    created_at timestamptz not null default now(),
    primary key (company_id, funnel_id, user_id),
    foreign key (company_id, funnel_id) references funnels (company_id, id)
  )`,
  // Hash-chained per company: hash = sha256(prev_hash || canonical row); seq has no gaps.
  `create table audit_log (
    company_id text not null references companies (id),
    seq bigint not null,
    id text not null,
    actor text not null,
    action text not null,
    target text not null,
    details jsonb not null default '{}',
    at timestamptz not null default now(),
    prev_hash bytea not null,
    hash bytea not null,
    primary key (company_id, seq)
  )`,
  // Wrapped by ASSIGNMENT_SECRET; kept as long as retention, part of the backup.
  `create table mac_keys (
    id text primary key,
    wrapped bytea not null,
    created_at timestamptz not null default now()
  )`,
];
