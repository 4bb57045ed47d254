import { limits } from '@bandit/contracts';
import {
  type Database,
  type ExperimentWithTreatments,
  findExperiment,
  listExperiments,
  withCompany,
} from '@bandit/db';
import type { Kysely } from 'kysely';
import { experimentNotFound } from './experiment-not-found.ts';

/** @throws ApiError EXPERIMENT_NOT_FOUND */
export async function getExperiment(
  db: Kysely<Database>,
  companyId: string,
  experimentId: string,
): Promise<ExperimentWithTreatments> {
  const found = await withCompany(db, companyId, (trx) => findExperiment(trx, companyId, experimentId));
  if (!found) throw experimentNotFound();
  return found;
}

/** Newest first, all of them. */
export function getExperiments(db: Kysely<Database>, companyId: string): Promise<ExperimentWithTreatments[]> {
  return withCompany(db, companyId, (trx) => listExperiments(trx, companyId, limits.experimentsListMax));
}
