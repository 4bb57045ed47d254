import type { Kysely } from 'kysely';
import type { Database, Row } from '../../schema.ts';

/** Every MAC key, newest first: the first one signs, all of them verify. */
export async function loadMacKeys(db: Kysely<Database>): Promise<Row<'mac_keys'>[]> {
  return db.selectFrom('mac_keys').selectAll().orderBy('created_at', 'desc').orderBy('id').execute();
}
