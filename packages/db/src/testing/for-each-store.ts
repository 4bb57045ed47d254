import type { Test } from 'tap';
import { createTestDatabase, type TestDatabase, type TestDatabaseOptions } from './create-test-database.ts';
import { testDatabaseUrl, whyUnreachable } from './postgres-template.ts';

/**
 * Runs the same sub-test on PGlite and on real Postgres (TEST_DATABASE_URL, else the local default). A Postgres that
 * cannot be reached is a loud skip, and a failure where CI_REQUIRE_STORES=1.
 */
export async function forEachStore(
  t: Test,
  work: (t: Test, store: TestDatabase) => Promise<void>,
  options: Omit<TestDatabaseOptions, 'kind'> = {},
): Promise<void> {
  await t.test('on PGlite', async (sub: Test) => {
    await work(sub, await createTestDatabase(sub, { ...options, kind: 'pglite' }));
  });
  const reason = await whyUnreachable(testDatabaseUrl());
  if (reason !== undefined && process.env.CI_REQUIRE_STORES !== '1') {
    console.warn(`NOT TESTED ON POSTGRES: no server for the tests at TEST_DATABASE_URL (${reason})`);
    await t.test('on Postgres', { skip: `Postgres is not reachable: ${reason}` }, () => undefined);
    return;
  }
  await t.test('on Postgres', async (sub: Test) => {
    if (reason !== undefined)
      throw new Error(`CI_REQUIRE_STORES=1, but Postgres is not reachable: ${reason}`);
    await work(sub, await createTestDatabase(sub, { ...options, kind: 'postgres' }));
  });
}
