import type { Results } from '@bandit/contracts';
import {
  countTrialsBetween,
  type Database,
  findExperiment,
  findServingState,
  listTreatmentDays,
  listTreatments,
  withCompany,
} from '@bandit/db';
import type { Kysely } from 'kysely';
import { experimentNotFound } from '../experiments/experiment-not-found.ts';
import { buildResults, optionsOf, type ResultsInput } from './build-results.ts';
import { windowStart } from './count-pending.ts';

/** @throws ApiError EXPERIMENT_NOT_FOUND */
export async function readResults(
  db: Kysely<Database>,
  companyId: string,
  experimentId: string,
  nowMs: number,
): Promise<Results> {
  const input = await withCompany(db, companyId, async (trx): Promise<ResultsInput> => {
    const found = await findExperiment(trx, companyId, experimentId);
    if (!found) throw experimentNotFound();
    const { experiment } = found;
    const start = windowStart(optionsOf(experiment).attributionWindow, nowMs);
    return {
      experiment,
      treatments: await listTreatments(trx, companyId, experimentId),
      days: await listTreatmentDays(trx, companyId, experimentId),
      state: await findServingState(trx, companyId, experimentId),
      start,
      openOnFirstDay:
        start === undefined
          ? new Map()
          : await countTrialsBetween(trx, companyId, experimentId, start.openAfterMs, start.dayEndMs),
      nowMs,
    };
  });
  return buildResults(input);
}
