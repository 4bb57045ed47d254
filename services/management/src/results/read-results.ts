import { limits, type Results } from '@bandit/contracts';
import {
  countTrialsBetween,
  type Database,
  findExperiment,
  findServingState,
  listRewardedTrials,
  listTreatmentDays,
  listTreatments,
  withCompany,
} from '@bandit/db';
import type { Kysely, Transaction } from 'kysely';
import { experimentNotFound } from '../experiments/experiment-not-found.ts';
import { optionsOf, type ResultsInput } from './build-results.ts';
import { windowStart } from './count-pending.ts';
import { canDeclareWinner } from './declare-contextual-winner.ts';
import { isContextual } from './infer-results.ts';

/**
 * @param build makes the page of what was read
 * @throws ApiError EXPERIMENT_NOT_FOUND, or what `build` throws
 */
export async function readResults(
  db: Kysely<Database>,
  companyId: string,
  experimentId: string,
  nowMs: number,
  build: (input: ResultsInput) => Promise<Results>,
): Promise<Results> {
  const input = await withCompany(db, companyId, (trx) => readInput(trx, companyId, experimentId, nowMs));
  return build(input);
}

async function readInput(
  trx: Transaction<Database>,
  companyId: string,
  experimentId: string,
  nowMs: number,
): Promise<ResultsInput> {
  const found = await findExperiment(trx, companyId, experimentId);
  if (!found) throw experimentNotFound();
  const options = optionsOf(found.experiment);
  const start = windowStart(options.attributionWindow, nowMs);
  const state = await findServingState(trx, companyId, experimentId);
  const isLogRead =
    isContextual(options) &&
    canDeclareWinner(options) &&
    (state?.n_trials ?? 0) <= limits.resultsLogTrialsMax;
  const maturedUntil = new Date(start?.openAfterMs ?? nowMs);
  return {
    experiment: found.experiment,
    treatments: await listTreatments(trx, companyId, experimentId),
    days: await listTreatmentDays(trx, companyId, experimentId),
    state,
    start,
    openOnFirstDay:
      start === undefined
        ? new Map()
        : await countTrialsBetween(trx, companyId, experimentId, start.openAfterMs, start.dayEndMs),
    rewarded: isLogRead
      ? await listRewardedTrials(trx, companyId, experimentId, maturedUntil, limits.resultsLogTrialsMax)
      : undefined,
    nowMs,
  };
}
