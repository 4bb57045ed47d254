import type { Kysely } from 'kysely';
import type { Database, Row } from '../../schema.ts';
import { auditHash, firstPreviousHash } from './audit-hash.ts';

export type AuditVerdict =
  | { readonly isIntact: true; readonly nEntries: number; readonly head: Uint8Array }
  | { readonly isIntact: false; readonly seq: number; readonly reason: string };

const rowsPerRead = 1_000;

/**
 * Recomputes every hash of a company's audit log from its first row.
 *
 * @returns the number of rows and the hash of the last (32 zero bytes when empty; note it elsewhere to detect a
 *   chain cut at its end), or the first place where the chain is broken and why
 */
export async function verifyAuditChain(db: Kysely<Database>, companyId: string): Promise<AuditVerdict> {
  let seq = 0;
  let head: Uint8Array = firstPreviousHash;
  for (;;) {
    const rows = await readAfter(db, companyId, seq);
    for (const row of rows) {
      const reason = flawOf(row, seq + 1, head);
      if (reason !== undefined) return { isIntact: false, seq: seq + 1, reason };
      seq += 1;
      head = row.hash;
    }
    if (rows.length < rowsPerRead) return { isIntact: true, nEntries: seq, head };
  }
}

function readAfter(db: Kysely<Database>, companyId: string, seq: number): Promise<Row<'audit_log'>[]> {
  return db
    .selectFrom('audit_log')
    .where('company_id', '=', companyId)
    .where('seq', '>', seq)
    .selectAll()
    .orderBy('seq')
    .limit(rowsPerRead)
    .execute();
}

function flawOf(row: Row<'audit_log'>, seq: number, previous: Uint8Array): string | undefined {
  if (row.seq !== seq) return `seq ${seq} is missing, the next one is ${row.seq}`;
  if (!row.prev_hash.equals(previous)) return `prev_hash of seq ${seq} is not the hash of the row before it`;
  const facts = { ...row, companyId: row.company_id, atMs: row.at.getTime() };
  const { id, actor, action, target, details, companyId, atMs } = facts;
  const expected = auditHash(previous, { companyId, seq, id, actor, action, target, details, atMs });
  return row.hash.equals(expected) ? undefined : `the row of seq ${seq} does not match its hash`;
}
