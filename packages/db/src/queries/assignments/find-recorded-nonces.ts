import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** Which of these decisions the database holds: their nonces in hexadecimal. */
export async function findRecordedNonces(
  db: Kysely<Database>,
  decisions: ReadonlyArray<{ companyId: string; nonce: Uint8Array }>,
): Promise<ReadonlySet<string>> {
  const wanted = sql`unnest(${decisions.map(({ companyId }) => companyId)}::text[],
    ${decisions.map(({ nonce }) => Buffer.from(nonce))}::bytea[])`;
  const rows = await db
    .selectFrom('assignments')
    .select(sql<string>`encode(nonce, 'hex')`.as('nonce'))
    .where(sql<boolean>`(company_id, nonce) in (select * from ${wanted})`)
    .execute();
  return new Set(rows.map((row) => row.nonce));
}
