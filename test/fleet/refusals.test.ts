import { createTestDatabase } from '@bandit/db/testing';
import pg from 'pg';
import t from 'tap';
import { startFleet, whyNoStores } from './start-fleet.ts';

t.setTimeout(300_000);

t.test('a fleet without its stores is refused, each named once', async (t) => {
  const env = { DATABASE_URL: '', NATS_URL: '', REDIS_URL: '' };
  const started = startFleet(t, { databaseUrl: '', env });
  await t.rejects(started, /DATABASE_URL must be set[\s\S]*NATS_URL must be set[\s\S]*REDIS_URL must be set/);
  await t.rejects(started, { message: /^(?![\s\S]*at file:)/ }, 'a sentence, not a stack');
});

t.test('a Postgres that is not there is said so, without its password', async (t) => {
  const DATABASE_URL = 'postgres://somebody:hunter2@127.0.0.1:1/none';
  const started = startFleet(t, {
    databaseUrl: DATABASE_URL,
    env: { DATABASE_URL },
  });
  await t.rejects(started, { message: /Postgres at DATABASE_URL cannot be asked: .*ECONNREFUSED/ });
  await t.rejects(started, { message: /^(?![\s\S]*hunter2)/ });
});

const reason = await whyNoStores();
if (reason !== undefined && process.env.CI_REQUIRE_STORES !== '1') {
  console.warn(`NOT TESTED ON REAL STORES: a fleet needs Postgres, NATS and Redis (${reason})`);
  t.test(
    'a fleet that its Postgres cannot serve',
    { skip: `a store is missing: ${reason}` },
    () => undefined,
  );
} else {
  t.test('more processes than Postgres has connections for are refused with the arithmetic', async (t) => {
    await t.rejects(
      startFleet(t, { env: { ASSIGNMENT_INSTANCES: '64', INGEST_INSTANCES: '64', DATABASE_POOL_MAX: '20' } }),
      /may open \d+ connections to Postgres \(assignment 64 x 6 \+ ingest 64 x 6 .* and it allows \d+/,
    );
  });
  t.test('in production an old schema is looked at, not touched', async (t) => {
    const { target } = await createTestDatabase(t, { kind: 'postgres', max: 1 });
    const { connectionString } = target as { connectionString: string };
    const name = new URL(connectionString).pathname.slice(1);
    const admin = new pg.Client({ connectionString: connectionString.replace(name, 'postgres') });
    await admin.connect();
    t.teardown(async () => {
      await admin.query(`drop database if exists ${name}_empty with (force)`);
      await admin.end();
    });
    await admin.query(`create database ${name}_empty template template0`);
    const DATABASE_URL = connectionString.replace(name, `${name}_empty`);
    await t.rejects(
      startFleet(t, { databaseUrl: DATABASE_URL, env: { NODE_ENV: 'production', DATABASE_URL } }),
      /The schema lacks 0001-tenants, .*pnpm@12.21.0 migrate/,
    );
    const empty = new pg.Client({ connectionString: DATABASE_URL });
    await empty.connect();
    const { rows } = await empty.query("select 1 from pg_tables where schemaname = 'public'");
    await empty.end();
    t.equal(rows.length, 0, 'nothing was made');
  });
}
