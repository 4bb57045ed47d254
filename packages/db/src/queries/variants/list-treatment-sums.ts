import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';

/** What the learner has counted for a treatment over all days. */
export interface TreatmentSums {
  readonly treatmentId: string;
  readonly trials: number;
  readonly rewardSum: number;
  readonly rewardSqSum: number;
}

/** Learned sums of an experiment's treatments, removed ones included; a treatment without trials may be missing. */
export async function listTreatmentSums(
  trx: Kysely<Database>,
  companyId: string,
  experimentId: string,
): Promise<TreatmentSums[]> {
  return trx
    .selectFrom('treatment_days')
    .where('company_id', '=', companyId)
    .where('experiment_id', '=', experimentId)
    .groupBy('treatment_id')
    .select((eb) => [
      'treatment_id as treatmentId',
      eb.fn.sum<number>('trials').as('trials'),
      eb.fn.sum<number>('reward_sum').as('rewardSum'),
      eb.fn.sum<number>('reward_sq_sum').as('rewardSqSum'),
    ])
    .execute();
}
