import { type Kysely, sql } from 'kysely';

/** Every process looks which migrations there are before it uses the schema. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`grant select on kysely_migration to bandit_accept, bandit_learner, bandit_app`.execute(db);
}
