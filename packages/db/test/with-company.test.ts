import { type Kysely, sql } from 'kysely';
import t from 'tap';
import { type Database, withCompany } from '../src/index.ts';
import { forEachStore } from '../src/testing.ts';

t.setTimeout(120_000);

/** A company with one experiment and one member, named after it. */
async function seedCompany(db: Kysely<Database>, name: string): Promise<string> {
  const companyId = `cmp_${name}`;
  await db.insertInto('companies').values({ id: companyId, name }).execute();
  await db.insertInto('members').values(memberOf(companyId, name)).execute();
  await db.insertInto('experiments').values(experimentOf(companyId, name)).execute();
  return companyId;
}

const memberOf = (companyId: string, name: string) => ({
  company_id: companyId,
  id: `mbr_${name}`,
  email: `${name}@example.com`,
  role: 'admin' as const,
});

const experimentOf = (companyId: string, name: string) => ({
  company_id: companyId,
  id: `exp_${name}`,
  partition: 0,
  name,
  algorithm: 'UCB1' as const,
  content_type: 'PLAIN_TEXT' as const,
  assignment_ttl: 60,
});

const whoAmI = sql<{ role: string; company: string | null }>`
  select current_user as role, nullif(current_setting('app.company_id', true), '') as company`;

t.test('withCompany', (t) =>
  forEachStore(t, async (t, { db, kind, open }) => {
    const a = await seedCompany(db, 'a');
    const b = await seedCompany(db, 'b');
    const { rows } = await whoAmI.execute(db);
    const login = rows[0];

    t.test('a query without WHERE sees one company', async (t) => {
      const seen = await withCompany(db, a, async (trx) => ({
        companies: await trx.selectFrom('companies').select('id').execute(),
        members: await trx.selectFrom('members').select('id').execute(),
        experiments: await trx.selectFrom('experiments').select('id').execute(),
      }));
      t.strictSame(seen, {
        companies: [{ id: 'cmp_a' }],
        members: [{ id: 'mbr_a' }],
        experiments: [{ id: 'exp_a' }],
      });
    });

    t.test("another company's rows are neither changed nor deleted nor inserted", async (t) => {
      await withCompany(db, a, async (trx) => {
        const changed = await trx
          .updateTable('experiments')
          .set({ name: 'taken' })
          .where('id', '=', 'exp_b')
          .execute();
        t.equal(Number(changed[0]?.numUpdatedRows), 0);
        const deleted = await trx.deleteFrom('members').execute();
        t.equal(Number(deleted[0]?.numDeletedRows), 1, 'its own member only');
      });
      const foreign = withCompany(db, a, (trx) =>
        trx
          .insertInto('members')
          .values({ ...memberOf(b, 'c') })
          .execute(),
      );
      await t.rejects(foreign, { code: '42501' });
      const moved = withCompany(db, a, (trx) =>
        trx.updateTable('experiments').set({ company_id: b }).execute(),
      );
      await t.rejects(moved, { code: '42501' });
      t.strictSame(await db.selectFrom('members').select('id').execute(), [{ id: 'mbr_b' }]);
    });

    t.test('role and company end with the transaction, committed or not', async (t) => {
      const one = open({ max: 1 });
      const inside = await withCompany(one, a, (trx) => whoAmI.execute(trx));
      t.strictSame(inside.rows, [{ role: 'bandit_app', company: a }]);
      t.strictSame((await whoAmI.execute(one)).rows, [{ role: login?.role, company: null }]);
      const failed = withCompany(one, a, (trx) => sql`select 1 / 0`.execute(trx));
      await t.rejects(failed, { code: '22012' });
      t.strictSame((await whoAmI.execute(one)).rows, [{ role: login?.role, company: null }]);
    });

    t.test('two companies at one time see their own', async (t) => {
      const seen = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          withCompany(db, i % 2 === 0 ? a : b, (trx) => trx.selectFrom('experiments').select('id').execute()),
        ),
      );
      seen.forEach((rows, i) => {
        t.strictSame(rows, [{ id: i % 2 === 0 ? 'exp_a' : 'exp_b' }]);
      });
    });

    t.test('no company at all sees nothing, and an empty id is a mistake', async (t) => {
      const seen = await db.transaction().execute(async (trx) => {
        await sql`set local role bandit_app`.execute(trx);
        return trx.selectFrom('experiments').select('id').execute();
      });
      t.strictSame(seen, []);
      await t.rejects(
        withCompany(db, '', async () => undefined),
        /needs a company id/,
      );
    });

    t.test('every table of a tenant that management may touch has row-level security', async (t) => {
      const unguarded = await sql<{ name: string }>`
          select c.relname as name
          from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'company_id' and a.attnum > 0
          where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and not c.relrowsecurity
            and has_table_privilege('bandit_app', c.oid, 'select, insert, update, delete')`.execute(db);
      t.strictSame(unguarded.rows, []);
    });

    t.test(
      'a pool may act as a role for good, where each connection is a session',
      { skip: kind === 'pglite' && 'PGlite has one session' },
      async (t) => {
        const accept = open({ role: 'bandit_accept' });
        t.match((await whoAmI.execute(accept)).rows, [{ role: 'bandit_accept' }]);
        t.strictSame((await accept.selectFrom('experiments').select('id').execute()).length, 2);
        await t.rejects(accept.selectFrom('members').selectAll().execute(), { code: '42501' });
        await t.rejects(accept.selectFrom('api_keys').select('name').execute(), { code: '42501' });
      },
    );
  }),
);
