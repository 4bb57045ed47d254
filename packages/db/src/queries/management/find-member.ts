import type { MemberRole } from '@bandit/contracts';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

export interface FoundMember {
  readonly companyId: string;
  readonly memberId: string;
  readonly email: string;
  readonly role: MemberRole;
}

/** The one look-up that comes before a tenant is known. @param email in lower case */
export async function findMember(db: Kysely<Database>, email: string): Promise<FoundMember | undefined> {
  const { rows } = await sql<{ company_id: string; id: string; email: string; role: MemberRole }>`
    select company_id, id, email, role from find_member(${email})`.execute(db);
  const row = rows[0];
  return row && { companyId: row.company_id, memberId: row.id, email: row.email, role: row.role };
}
