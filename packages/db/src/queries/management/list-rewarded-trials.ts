import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';

/** A drawn trial with its reward, as the randomisation test reads it. */
export interface RewardedTrial {
  readonly treatmentId: string;
  /** Exact probability of the draw, in (0, 1]. */
  readonly propensity: number;
  /** Above 0. */
  readonly reward: number;
}

/**
 * Drawn trials of an experiment that have a reward above 0, in the order of the log; self-reported ones are left out.
 *
 * @param assignedUntil only trials assigned until then: later ones may still convert
 * @param limit most rows
 */
export async function listRewardedTrials(
  trx: Kysely<Database>,
  companyId: string,
  experimentId: string,
  assignedUntil: Date,
  limit: number,
): Promise<RewardedTrial[]> {
  const rows = await trx
    .selectFrom('assignments as a')
    .innerJoin('assignment_outcomes as o', (join) =>
      join.onRef('o.company_id', '=', 'a.company_id').onRef('o.nonce', '=', 'a.nonce'),
    )
    .where('a.company_id', '=', companyId)
    .where('a.experiment_id', '=', experimentId)
    .where('a.assigned_at', '<=', assignedUntil)
    .where('a.propensity', 'is not', null)
    .where('o.reward', '>', 0)
    .select(['a.treatment_id as treatmentId', 'a.propensity', 'o.reward'])
    .orderBy('a.batch')
    .orderBy('a.position')
    .limit(limit)
    .execute();
  return rows.map((row) => ({ ...row, propensity: row.propensity as number }));
}
