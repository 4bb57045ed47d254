import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';
import { type AuditFacts, auditHash, firstPreviousHash } from './audit-hash.ts';

/**
 * Adds the next row of the company's audit chain. The caller holds the company's lock (`lockCompany`, or has just
 * inserted it), so that no other transaction can take the same number.
 */
export async function appendAuditEntry(trx: Kysely<Database>, entry: Omit<AuditFacts, 'seq'>): Promise<void> {
  const last = await trx
    .selectFrom('audit_log')
    .where('company_id', '=', entry.companyId)
    .select(['seq', 'hash'])
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  const facts = { ...entry, seq: (last?.seq ?? 0) + 1 };
  const previousHash = last?.hash ?? firstPreviousHash;
  await trx
    .insertInto('audit_log')
    .values({
      company_id: facts.companyId,
      seq: facts.seq,
      id: facts.id,
      actor: facts.actor,
      action: facts.action,
      target: facts.target,
      details: JSON.stringify(facts.details),
      at: new Date(facts.atMs),
      prev_hash: previousHash,
      hash: auditHash(previousHash, facts),
    })
    .execute();
}
