import { type Funnel, limits } from '@bandit/contracts';
import { type Database, findExperiments, findFunnel, listFunnels, withCompany } from '@bandit/db';
import type { Kysely } from 'kysely';
import { funnelNotFound } from './change-funnels.ts';
import { type FunnelDetail, presentFunnel, presentFunnelDetail } from './present-funnel.ts';

/** Newest first, all of them. */
export async function getFunnels(db: Kysely<Database>, companyId: string): Promise<Funnel[]> {
  const rows = await withCompany(db, companyId, (trx) => listFunnels(trx, companyId, limits.funnelsListMax));
  return rows.map(presentFunnel);
}

/** With its experiments, in order. @throws ApiError FUNNEL_NOT_FOUND */
export async function getFunnel(db: Kysely<Database>, companyId: string, id: string): Promise<FunnelDetail> {
  return withCompany(db, companyId, async (trx) => {
    const found = await findFunnel(trx, companyId, id);
    if (!found) throw funnelNotFound();
    return presentFunnelDetail(found, await findExperiments(trx, companyId, found.experimentIds));
  });
}
