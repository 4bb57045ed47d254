import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';

/** Over all tenants: only the launcher asks, to tell an empty database. */
export async function countCompanies(db: Kysely<Database>): Promise<number> {
  const { n } = await db
    .selectFrom('companies')
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow();
  return n;
}
