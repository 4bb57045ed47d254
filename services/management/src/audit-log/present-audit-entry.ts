import type { AuditEntry } from '@bandit/contracts';
import type { Row } from '@bandit/db';

export function presentAuditEntry(row: Row<'audit_log'>): AuditEntry {
  return {
    id: row.id,
    seq: row.seq,
    actor: row.actor,
    action: row.action,
    target: row.target,
    details: row.details,
    at: row.at.toISOString(),
    previousHash: row.prev_hash.toString('hex'),
    hash: row.hash.toString('hex'),
  };
}
