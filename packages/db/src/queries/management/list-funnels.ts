import type { Kysely } from 'kysely';
import type { Database, Row } from '../../schema.ts';

export interface FunnelWithSteps {
  readonly funnel: Row<'funnels'>;
  /** In the order of the steps. */
  readonly experimentIds: readonly string[];
}

/** Newest first: two queries, however many funnels there are. */
export async function listFunnels(
  trx: Kysely<Database>,
  companyId: string,
  limit: number,
): Promise<FunnelWithSteps[]> {
  const funnels = await trx
    .selectFrom('funnels')
    .where('company_id', '=', companyId)
    .where('deleted_at', 'is', null)
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  const steps = await trx
    .selectFrom('funnel_experiments')
    .where('company_id', '=', companyId)
    .select(['funnel_id', 'experiment_id'])
    .orderBy('funnel_id')
    .orderBy('position')
    .execute();
  const byFunnel = Map.groupBy(steps, (step) => step.funnel_id);
  return funnels.map((funnel) => ({
    funnel,
    experimentIds: (byFunnel.get(funnel.id) ?? []).map((step) => step.experiment_id),
  }));
}
