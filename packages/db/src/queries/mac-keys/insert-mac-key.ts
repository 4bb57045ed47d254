import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';

/**
 * Adds a MAC key unless one with this id exists.
 *
 * @param wrapped the key as wrapped by ASSIGNMENT_SECRET
 * @returns false when the id was taken: load again and use what is there
 */
export async function insertMacKey(db: Kysely<Database>, id: string, wrapped: Uint8Array): Promise<boolean> {
  const inserted = await db
    .insertInto('mac_keys')
    .values({ id, wrapped })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id')
    .executeTakeFirst();
  return inserted !== undefined;
}
