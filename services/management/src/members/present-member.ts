import type { Member } from '@bandit/contracts';
import type { Row } from '@bandit/db';

export function presentMember(row: Row<'members'>): Member {
  return { id: row.id, email: row.email, role: row.role, createdAt: row.created_at.toISOString() };
}
