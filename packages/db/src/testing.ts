/** For tests of packages that do not bring kysely themselves. */
export { sql } from 'kysely';
export {
  createTestDatabase,
  type StoreKind,
  type TestDatabase,
  type TestDatabaseOptions,
} from './testing/create-test-database.ts';
export { forEachStore } from './testing/for-each-store.ts';
