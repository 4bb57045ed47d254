import type { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { migrations } from './migrations/index.ts';
import type { Database } from './schema.ts';

/**
 * Brings the schema up to date in one transaction, under an advisory lock: a second migrator waits and then finds
 * nothing to do. Open `db` with `statementTimeoutMs: limits.migrationTimeoutMs`, as that wait is a statement.
 *
 * @returns the names of the migrations that ran now, in order
 */
export async function migrate(db: Kysely<Database>): Promise<readonly string[]> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...migrations }) } });
  const { error, results } = await migrator.migrateToLatest();
  if (error !== undefined) {
    const failed = results?.find((result) => result.status === 'Error');
    const subject = failed === undefined ? 'migrating the database' : `migration ${failed.migrationName}`;
    const reason = error instanceof Error ? error.message : String(error);
    throw Object.assign(new Error(`${subject} failed: ${reason}`, { cause: error }), {
      code: (error as { code?: unknown }).code,
    });
  }
  return (results ?? []).map((result) => result.migrationName);
}
