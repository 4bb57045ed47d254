/**
 * The users that infra/postgres/roles.sql makes, on a Postgres of the test's own: roles belong to a whole cluster. What
 * each of them can do, and what it is refused.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { hasPostgresServer, type PostgresServer, startPostgres } from '@bandit/test-stores';
import { type Kysely, sql } from 'kysely';
import t, { type Test } from 'tap';
import {
  countCompanies,
  type Database,
  ensureFactPartitions,
  ensureLogEpoch,
  findApiKey,
  findMember,
  insertMacKey,
  listCompanyVersions,
  listDueExperiments,
  loadCompanies,
  loadMacKeys,
  migrate,
  type OpenDatabaseOptions,
  openDatabase,
  runRetention,
  touchApiKeys,
  withCompany,
} from '../src/index.ts';

t.setTimeout(180_000);

const rolesFile = fileURLToPath(new URL('../../../infra/postgres/roles.sql', import.meta.url));
const logins = ['migrator', 'assignment', 'ingest', 'learning', 'management', 'erasing'];
const personal = ['assignments', 'current_assignments', 'events', 'event_keys', 'assignment_outcomes'];
const refused = { code: '42501' };
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

if (hasPostgresServer()) await t.test('logins', testLogins);
else if (process.env.CI_REQUIRE_STORES === '1') t.fail('CI_REQUIRE_STORES=1, but no Postgres is installed');
else {
  console.warn('NOT TESTED: the rights of each login, as no Postgres server is installed here');
  t.test('logins', { skip: 'no Postgres server is installed here' }, async () => undefined);
}

type Open = (login: string, role?: OpenDatabaseOptions['role']) => Kysely<Database>;

async function testLogins(t: Test): Promise<void> {
  const server = await startPostgres();
  t.teardown(() => server.stop());
  makeLogins(server);
  const open = opener(t, server);
  await t.test('the migrator makes the schema without any right over roles', async (t) => {
    const migrator = open('migrator');
    t.not((await migrate(migrator)).length, 0);
    makeLogins(server);
    t.strictSame(await migrate(migrator), [], 'and the file may be run again');
    await seedCompany(migrator, 'a');
    await seedCompany(migrator, 'b');
  });
  await t.test('assignment and ingest', (t) => testAccept(t, open));
  await t.test('learning', (t) => testLearning(t, open));
  await t.test('management', (t) => testManagement(t, open));
  await t.test('erasing', (t) => testErasing(t, open));
  await t.test('nobody but the migrator changes the schema', async (t) => {
    for (const login of logins.slice(1)) {
      const db = open(login);
      await t.rejects(sql`create table planted (x int)`.execute(db), refused, login);
      await t.rejects(sql`alter table events add column x int`.execute(db), refused, login);
      await t.rejects(sql`truncate events`.execute(db), refused, login);
      await t.rejects(sql`set row_security = off; select * from members`.execute(db), refused, login);
      const { rows } = await sql<{ super: string }>`select rolsuper or rolcreaterole or rolbypassrls as super
        from pg_roles where rolname = current_user`.execute(db);
      t.strictSame(rows, [{ super: false }], login);
    }
  });
}

function makeLogins({ connectionString }: PostgresServer): void {
  const passwords = logins.map((login) => [
    `BANDIT_${login.toUpperCase()}_PASSWORD`,
    `pass'word of ${login}`,
  ]);
  execFileSync('psql', [connectionString, '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', rolesFile], {
    env: { ...process.env, ...Object.fromEntries(passwords) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

function opener(t: Test, { port }: PostgresServer): Open {
  const pools = new Map<string, ReturnType<typeof openDatabase>>();
  t.teardown(() => Promise.all([...pools.values()].map((pool) => pool.close())));
  return (login, role) => {
    const key = `${login} ${role ?? ''}`;
    let pool = pools.get(key);
    if (pool === undefined) {
      const connectionString = `postgres://bandit_${login}@127.0.0.1:${port}/postgres`;
      pool = openDatabase({ connectionString, max: 2, log, ...(role === undefined ? {} : { role }) });
      pools.set(key, pool);
    }
    return pool.db;
  };
}

async function seedCompany(db: Kysely<Database>, name: string): Promise<void> {
  const company = { company_id: `cmp_${name}` };
  const treatment = { ...company, experiment_id: `exp_${name}`, treatment_id: `trt_${name}` };
  await sql`insert into companies (id, name) values (${company.company_id}, ${name})`.execute(db);
  await sql`insert into members (company_id, id, email, role)
    values (${company.company_id}, ${`mbr_${name}`}, ${`${name}@example.com`}, 'admin')`.execute(db);
  await sql`insert into api_keys (company_id, id, key_id, name, prefix, secret_hash, scopes)
    values (${company.company_id}, ${`key_${name}`}, ${name}, 'Name', 'bk', ${Buffer.alloc(32)}, '{events}')`.execute(
    db,
  );
  await sql`insert into experiments (company_id, id, partition, name, algorithm, content_type, assignment_ttl)
    values (${company.company_id}, ${treatment.experiment_id}, 0, 'x', 'UCB1', 'PLAIN_TEXT', 60)`.execute(db);
  await sql`insert into treatments (company_id, experiment_id, id, position, name, config, weight)
    values (${company.company_id}, ${treatment.experiment_id}, ${treatment.treatment_id}, 0, 'x', '{}', 1)`.execute(
    db,
  );
  await insertFacts(db, name, 'u');
}

/** An assignment, its current row, an event with its identity, and what was learned from them. */
async function insertFacts(db: Kysely<Database>, name: string, user: string): Promise<void> {
  const ids = sql`${`cmp_${name}`}, ${`exp_${name}`}, ${`trt_${name}`}`;
  const nonce = Buffer.alloc(16, `${name}${user}`);
  await sql`insert into assignments (company_id, experiment_id, treatment_id, nonce, user_id, assigned_at, expires_at,
      propensity, confidence, state_version, source, mac_key_id, is_first, partition, position)
    values (${ids}, ${nonce}, ${user}, now(), now() + interval '1 day', 1, 1, 0, 'draw', 'k', true, 0, 0)`.execute(
    db,
  );
  await sql`insert into current_assignments (company_id, experiment_id, treatment_id, nonce, user_id, assigned_at,
      expires_at, confidence, state_version, mac_key_id)
    values (${ids}, ${nonce}, ${user}, now(), now() + interval '1 day', 1, 0, 'k')`.execute(db);
  await sql`insert into event_keys (company_id, key, event_id)
    values (${`cmp_${name}`}, ${nonce}, ${`evt_${name}${user}`})`.execute(db);
  await sql`insert into events (company_id, experiment_id, treatment_id, id, user_id, event_type, source, partition, position)
    values (${ids}, ${`evt_${name}${user}`}, ${user}, 'CLICK', 'client', 0, 0)`.execute(db);
}

async function testAccept(t: Test, open: Open): Promise<void> {
  for (const login of ['assignment', 'ingest']) {
    // As the services open it, and as somebody with the password would.
    for (const db of [open(login, 'bandit_accept'), open(login)]) {
      await ensureLogEpoch(db);
      t.equal((await listCompanyVersions(db)).length, 2);
      t.equal((await loadCompanies(db, ['cmp_a', 'cmp_b'])).length, 2);
      t.match(await findApiKey(db, 'a'), { companyId: 'cmp_a', scopes: ['events'] });
      await touchApiKeys(db, [{ companyId: 'cmp_a', apiKeyId: 'key_a', usedAtMs: Date.now() }]);
      await insertMacKey(db, `key of ${login}`, Buffer.alloc(60));
      t.not((await loadMacKeys(db)).length, 0);
      t.not((await sql`select name from kysely_migration`.execute(db)).rows.length, 0);
    }
    const db = open(login);
    await db.transaction().execute((trx) => insertFacts(trx, 'a', `of ${login}`));
    const forbidden = [
      sql`select * from members`,
      sql`select email from members`,
      sql`select name from api_keys`,
      sql`update api_keys set scopes = '{}'`,
      sql`insert into api_keys select * from api_keys`,
      sql`delete from api_keys`,
      sql`delete from events`,
      sql`update events set user_id = 'x'`,
      sql`delete from assignments`,
      sql`update assignments set user_id = 'x'`,
      sql`delete from current_assignments`,
      sql`update event_keys set event_id = 'x'`,
      sql`update mac_keys set wrapped = ''`,
      sql`delete from mac_keys`,
      sql`update experiments set status = 'active'`,
      sql`update experiment_states set version = 9`,
      sql`select * from audit_log`,
      sql`select * from funnels`,
      sql`select * from find_member('a@example.com')`,
      sql`select count_companies()`,
      sql`select ensure_fact_partitions(1)`,
      sql`set role bandit_eraser`,
      sql`set role bandit_app`,
      sql`set role bandit_learner`,
    ];
    for (const statement of forbidden) await expectRefused(t, db, statement);
  }
}

async function testLearning(t: Test, open: Open): Promise<void> {
  const db = open('learning', 'bandit_learner');
  await ensureLogEpoch(db);
  t.not((await sql`select * from assignments a join events e using (company_id)`.execute(db)).rows.length, 0);
  await sql`insert into experiment_states (company_id, experiment_id, version, through_batch, n_trials, state, serving)
    values ('cmp_a', 'exp_a', 1, 0, 0, '', '')`.execute(db);
  await sql`update learner_partitions set updated_at = now() where partition = 0`.execute(db);
  await sql`insert into assignment_outcomes (company_id, nonce, experiment_id)
    select company_id, nonce, experiment_id from assignments`.execute(db);
  t.equal((await listCompanyVersions(open('learning', 'bandit_accept'))).length, 2, 'on request');
  const forbidden = [
    sql`select key_id from api_keys`,
    sql`select * from members`,
    sql`select * from mac_keys`,
    sql`select * from current_assignments`,
    sql`insert into events select * from events`,
    sql`delete from events`,
    sql`update assignments set user_id = 'x'`,
    sql`delete from assignments`,
    sql`delete from fact_batches`,
    sql`update experiments set status = 'active'`,
    sql`select * from find_api_key('a')`,
    sql`set role bandit_eraser`,
    sql`set role bandit_app`,
  ];
  for (const statement of forbidden) await expectRefused(t, open('learning'), statement);
}

async function testManagement(t: Test, open: Open): Promise<void> {
  const db = open('management');
  t.equal(await countCompanies(db), 2, 'an empty database is told from rows that are not its own');
  t.match(await findMember(db, 'a@example.com'), { companyId: 'cmp_a' });
  t.strictSame(await listDueExperiments(db, Date.now(), 10), []);
  await ensureFactPartitions(db, 1);
  const report = await runRetention(db, {
    retentionDays: 400,
    pause: async () => undefined,
    onDropped: () => undefined,
  });
  t.equal(report.outcome, 'done', 'retention, acting as its own role on request');
  t.equal((await listCompanyVersions(open('management', 'bandit_accept'))).length, 2);
  await t.test('sees and changes its own company only', async (t) => {
    for (const table of [
      'companies',
      'members',
      'api_keys',
      'experiments',
      'assignments',
      'events',
      'event_keys',
    ]) {
      const column = sql.id(table === 'companies' ? 'id' : 'company_id');
      const seen = sql<{ company: string }>`select distinct ${column} as company from ${sql.table(table)}`;
      const inside = await withCompany(db, 'cmp_a', (trx) => seen.execute(trx));
      t.strictSame(inside.rows, [{ company: 'cmp_a' }], table);
      t.strictSame((await seen.execute(db)).rows, [], `${table} without a company`);
    }
    await withCompany(db, 'cmp_new', (trx) =>
      sql`insert into companies (id, name) values ('cmp_new', 'New')`.execute(trx),
    );
  });
  const forbidden = ['events', 'assignments', 'current_assignments', 'event_keys', 'audit_log'].flatMap(
    (table) => [
      sql`delete from ${sql.table(table)}`,
      sql`update ${sql.table(table)} set company_id = 'cmp_a'`,
    ],
  );
  for (const statement of forbidden) {
    await expectRefused(t, db, statement);
    await t.rejects(
      withCompany(db, 'cmp_a', (trx) => statement.execute(trx)),
      refused,
    );
  }
  await expectRefused(t, db, sql`set role bandit_learner`);
  await expectRefused(t, db, sql`set role bandit_migrator`);
  await t.test('erases only when it asks to act as the eraser', async (t) => {
    const undone = new Error('undone');
    const erasing = db.transaction().execute(async (trx) => {
      await sql`select set_config('app.company_id', 'cmp_a', true), set_config('role', 'bandit_eraser', true)`.execute(
        trx,
      );
      t.equal(Number((await sql`delete from events where user_id = 'u'`.execute(trx)).numAffectedRows), 1);
      throw undone;
    });
    await t.rejects(erasing, undone);
  });
}

async function testErasing(t: Test, open: Open): Promise<void> {
  const db = open('erasing');
  const count = async (table: string, company: string): Promise<number> => {
    const { rows } = await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}
      where company_id = ${company}`.execute(open('migrator'));
    return rows[0]!.n;
  };
  for (const table of personal) {
    t.equal(
      Number((await sql`delete from ${sql.table(table)}`.execute(db)).numAffectedRows),
      0,
      'no company: nothing',
    );
  }
  await db.transaction().execute(async (trx) => {
    await sql`select set_config('app.company_id', 'cmp_a', true)`.execute(trx);
    await sql`update assignments set user_id = 'erased', context = null where user_id = 'u'`.execute(trx);
    await sql`select 1 from companies where id = 'cmp_a' for no key update`.execute(trx);
    await sql`insert into audit_log (company_id, seq, id, actor, action, target, prev_hash, hash)
      values ('cmp_a', 1, 'adt_1', 'x', 'subject.erase', 'x', '', '')`.execute(trx);
    for (const table of personal) await sql`delete from ${sql.table(table)}`.execute(trx);
  });
  for (const table of personal) {
    t.equal(await count(table, 'cmp_a'), 0, table);
    t.not(await count(table, 'cmp_b'), 0, `${table} of the other company stay`);
  }
  const foreign = db.transaction().execute(async (trx) => {
    await sql`select set_config('app.company_id', 'cmp_b', true)`.execute(trx);
    await sql`update events set company_id = 'cmp_a'`.execute(trx);
  });
  await t.rejects(foreign, refused, 'rows cannot be moved to another company');
  const forbidden = [
    sql`select * from members`,
    sql`select * from api_keys`,
    sql`select * from mac_keys`,
    sql`delete from experiments`,
    sql`delete from audit_log`,
    sql`insert into events select * from events`,
    sql`insert into assignments select * from assignments`,
    sql`update companies set name = 'x'`,
    sql`update experiment_states set version = 1`,
    sql`set role bandit_app`,
  ];
  for (const statement of forbidden) await expectRefused(t, db, statement);
  const unguarded = await sql<{ name: string }>`
    select c.relname as name
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'company_id' and a.attnum > 0
    where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and not c.relrowsecurity
      and has_table_privilege('bandit_eraser', c.oid, 'select, insert, update, delete')`.execute(
    open('migrator'),
  );
  t.strictSame(unguarded.rows, [], 'every table that it may touch is guarded by company');
}

/** In a transaction that is undone, so that a statement that is wrongly allowed changes nothing for the next check. */
async function expectRefused(
  t: Test,
  db: Kysely<Database>,
  statement: ReturnType<typeof sql>,
): Promise<void> {
  const undone = new Error('it was allowed');
  const attempt = db.transaction().execute(async (trx) => {
    await statement.execute(trx);
    throw undone;
  });
  await t.rejects(attempt, refused, statement.compile(db).sql);
}
