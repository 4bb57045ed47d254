import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import pg from 'pg';
import t from 'tap';
import { hashMigrations } from '../src/testing/migrations-hash.ts';
import { clonePostgres, testDatabaseUrl, whyUnreachable } from '../src/testing/postgres-template.ts';
import { createTestDatabase, type StoreKind } from '../src/testing.ts';

t.setTimeout(120_000);

const run = promisify(execFile);
const unreachable = await whyUnreachable(testDatabaseUrl());
const kinds: StoreKind[] = unreachable === undefined ? ['pglite', 'postgres'] : ['pglite'];

t.test('two clones know nothing of each other', async (t) => {
  for (const kind of kinds) {
    const [one, two] = await Promise.all([createTestDatabase(t, { kind }), createTestDatabase(t, { kind })]);
    await one.db.insertInto('companies').values({ id: 'cmp_x', name: 'x' }).execute();
    t.strictSame(await two.db.selectFrom('companies').selectAll().execute(), []);
    t.match(
      await one.open().selectFrom('companies').select('id').execute(),
      [{ id: 'cmp_x' }],
      'a further pool does',
    );
    t.match(await sql`select count(*) as n from kysely_migration where name = '0004-roles'`.execute(one.db), {
      rows: [{ n: 1 }],
    });
  }
});

t.test('processes that make the template at one time end up with the same whole file', async (t) => {
  const folder = t.testdir();
  const program = `
    const { loadPgliteTemplate } = await import(${JSON.stringify(new URL('../src/testing/pglite-template.ts', import.meta.url).href)});
    console.log((await loadPgliteTemplate(${JSON.stringify(folder)})).length);`;
  const make = () => run(process.execPath, ['--input-type=module', '--eval', program]);
  const made = await Promise.all([make(), make()]);
  const again = await make();
  t.strictSame(readdirSync(folder), [`template-${hashMigrations()}.tar`], 'no parts are left');
  for (const { stdout, stderr } of [...made, again]) {
    t.ok(Number(stdout) > 5_000_000, stdout);
    t.equal(stderr, '');
  }
});

t.test(
  'clones of a Postgres template are dropped, and its maker may be killed',
  { skip: unreachable ?? false },
  async (t) => {
    const url = testDatabaseUrl();
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    t.teardown(() => admin.end());
    const template = `bandit_template_test_${process.pid}`;
    t.teardown(() => admin.query(`drop database if exists ${template} with (force)`));
    // What a maker that was killed half way leaves behind.
    await admin.query(`create database ${template}_part`);
    const clones = await Promise.all([1, 2, 3].map(() => clonePostgres(url, template)));
    const exists = async (name: string) =>
      (await admin.query('select 1 from pg_database where datname = $1', [name])).rowCount === 1;
    t.ok(await exists(template));
    t.notOk(await exists(`${template}_part`));
    const names = clones.map((clone) => new URL(clone.connectionString).pathname.slice(1));
    t.equal(new Set(names).size, 3);
    await Promise.all(clones.map((clone) => clone.drop()));
    for (const name of names) t.notOk(await exists(name));
  },
);

t.test('a store that must be there and is not fails the test', async (t) => {
  const program = `
    import t from 'tap';
    const { forEachStore } = await import(${JSON.stringify(new URL('../src/testing.ts', import.meta.url).href)});
    await t.test('x', (t) => forEachStore(t, async () => undefined));`;
  const failing = run(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: join(import.meta.dirname, '..'),
    env: { ...process.env, TEST_DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none', CI_REQUIRE_STORES: '1' },
  });
  await t.rejects(failing, { code: 1, stdout: /CI_REQUIRE_STORES=1, but Postgres is not reachable/ });
});
