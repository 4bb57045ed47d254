import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** An experiment that has to be sealed before the user's contexts go. */
export interface ErasureSeal {
  readonly experimentId: string;
  readonly partition: number;
}

/**
 * Experiments whose rebuild would need what is to go: a contextual one with contexts of the user, and any with an
 * assignment that the user's client made, whose nonce is a hash of the user.
 */
export async function listSealable(
  trx: Kysely<Database>,
  companyId: string,
  userId: string,
  until: Date,
): Promise<ErasureSeal[]> {
  const { rows } = await sql<{ id: string; partition: number }>`
    select distinct e.id, e.partition from assignments a
    join experiments e on e.company_id = a.company_id and e.id = a.experiment_id
    where a.company_id = ${companyId} and a.user_id = ${userId} and a.assigned_at <= ${until}
      and (a.source = 'client'
        or e.algorithm in ('LINEAR_CONTEXTUAL', 'NEURAL_CONTEXTUAL') and a.context is not null)
    order by e.id`.execute(trx);
  return rows.map((row) => ({ experimentId: row.id, partition: row.partition }));
}

/** @returns false while a fact of the user waits to be learned */
export async function sealExperiment(
  trx: Kysely<Database>,
  companyId: string,
  userId: string,
  until: Date,
  experimentId: string,
): Promise<boolean> {
  const { rows } = await sql<{ outcome: 'sealed' | 'unlearned' }>`
    select seal_subject(${companyId}, ${experimentId}, ${userId}, ${until}) as outcome`.execute(trx);
  return rows[0]!.outcome === 'sealed';
}
