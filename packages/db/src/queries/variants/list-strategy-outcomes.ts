import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/** How one AI-made treatment did, beside what it has to beat in its experiment. */
export interface StrategyOutcome {
  readonly strategy: string;
  readonly trials: number;
  readonly rewardSum: number;
  /** The live control; 0 trials when there is none, or when the treatment is the control itself. */
  readonly controlTrials: number;
  readonly controlRewardSum: number;
  /** All other treatments of the experiment together, removed ones included. */
  readonly otherTrials: number;
  readonly otherRewardSum: number;
}

/** Learned sums of the company's newest `limit` AI-made treatments that have trials, removed ones included. */
export async function listStrategyOutcomes(
  trx: Kysely<Database>,
  companyId: string,
  limit: number,
): Promise<StrategyOutcome[]> {
  const { rows } = await sql<StrategyOutcome>`
    with made as (
      select experiment_id, id, strategy, created_at from treatments
      where company_id = ${companyId} and strategy is not null
      order by created_at desc, id limit ${limit}
    ), sums as (
      select d.experiment_id, d.treatment_id, sum(d.trials) as trials, sum(d.reward_sum) as reward_sum
      from treatment_days d
      where d.company_id = ${companyId} and d.experiment_id in (select experiment_id from made)
      group by d.experiment_id, d.treatment_id
    )
    select m.strategy, own.trials as "trials", own.reward_sum as "rewardSum",
      coalesce(control.trials, 0) as "controlTrials", coalesce(control.reward_sum, 0) as "controlRewardSum",
      coalesce(other.trials, 0) as "otherTrials", coalesce(other.reward_sum, 0) as "otherRewardSum"
    from made m
    join sums own on own.experiment_id = m.experiment_id and own.treatment_id = m.id and own.trials > 0
    left join treatments c on c.company_id = ${companyId} and c.experiment_id = m.experiment_id
      and c.is_control and c.removed_at is null and c.id <> m.id
    left join sums control on control.experiment_id = c.experiment_id and control.treatment_id = c.id
    left join lateral (
      select sum(s.trials) as trials, sum(s.reward_sum) as reward_sum from sums s
      where s.experiment_id = m.experiment_id and s.treatment_id <> m.id
    ) other on true
    order by m.created_at desc, m.id`.execute(trx);
  return rows;
}
