import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';
import type { FunnelWithSteps } from './list-funnels.ts';

/** @param lock 'share' holds its status and existence until the transaction ends */
export async function findFunnel(
  trx: Kysely<Database>,
  companyId: string,
  funnelId: string,
  lock?: 'share',
): Promise<FunnelWithSteps | undefined> {
  const query = trx
    .selectFrom('funnels')
    .where('company_id', '=', companyId)
    .where('id', '=', funnelId)
    .where('deleted_at', 'is', null)
    .selectAll();
  const funnel = await (lock === 'share' ? query.forShare() : query).executeTakeFirst();
  if (!funnel) return undefined;
  const steps = await trx
    .selectFrom('funnel_experiments')
    .where('company_id', '=', companyId)
    .where('funnel_id', '=', funnelId)
    .select('experiment_id')
    .orderBy('position')
    .execute();
  return { funnel, experimentIds: steps.map((step) => step.experiment_id) };
}
