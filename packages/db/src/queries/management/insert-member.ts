import type { Kysely } from 'kysely';
import type { Database, NewRow, Row } from '../../schema.ts';

/** @returns undefined when the e-mail belongs to a member already, of this company or of another */
export async function insertMember(
  trx: Kysely<Database>,
  member: NewRow<'members'>,
): Promise<Row<'members'> | undefined> {
  return trx
    .insertInto('members')
    .values(member)
    .onConflict((conflict) => conflict.column('email').doNothing())
    .returningAll()
    .executeTakeFirst();
}
