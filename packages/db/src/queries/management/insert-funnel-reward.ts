import type { Kysely } from 'kysely';
import type { Database, NewRow } from '../../schema.ts';

/**
 * Claims the one reward that a user can have in a funnel. Waits for a concurrent claim of the same.
 *
 * @returns false when the reward was recorded before
 */
export async function insertFunnelReward(
  trx: Kysely<Database>,
  reward: NewRow<'funnel_rewards'>,
): Promise<boolean> {
  const row = await trx
    .insertInto('funnel_rewards')
    .values(reward)
    .onConflict((conflict) => conflict.columns(['company_id', 'funnel_id', 'user_id']).doNothing())
    .returning('user_id')
    .executeTakeFirst();
  return row !== undefined;
}
