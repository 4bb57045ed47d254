import { ApiError, type CreateTreatment, limits } from '@bandit/contracts';
import {
  type Database,
  findExperiment,
  insertTreatments,
  listTreatments,
  type TreatmentRow,
} from '@bandit/db';
import type { Transaction } from 'kysely';
import { type Author, type ChangeDeps, type Changed, changeCompany } from '../change-company.ts';
import { checkTreatment } from './check-treatment.ts';
import { experimentNotFound } from './experiment-not-found.ts';
import { newTreatmentRow } from './new-treatment-row.ts';

export interface TreatmentToAdd {
  readonly experimentId: string;
  readonly treatment: CreateTreatment;
  /** The AI strategy that wrote it. */
  readonly strategy?: string;
}

/**
 * Adds one live treatment, whatever the experiment's status, as one audited change.
 *
 * @throws ApiError EXPERIMENT_NOT_FOUND, VALIDATION_ERROR, CONTROL_EXISTS or TOO_MANY_TREATMENTS
 */
export function addTreatment(
  deps: ChangeDeps,
  author: Author,
  wanted: TreatmentToAdd,
): Promise<TreatmentRow> {
  return changeCompany(deps, author, (trx) => addTreatmentIn(trx, deps, author, wanted));
}

/** `addTreatment` as a part of the caller's change. */
export async function addTreatmentIn(
  trx: Transaction<Database>,
  deps: Pick<ChangeDeps, 'randomBytes'>,
  author: Author,
  { experimentId, treatment, strategy }: TreatmentToAdd,
): Promise<Changed<TreatmentRow>> {
  const found = await findExperiment(trx, author.companyId, experimentId);
  if (!found) throw experimentNotFound();
  checkTreatment(found.experiment.content_type, treatment, 'treatment');
  checkRoom(found.treatments, treatment);
  const everMade = await listTreatments(trx, author.companyId, experimentId);
  const place = {
    position: everMade.length,
    isOriginal: found.experiment.activated_at === null,
    strategy,
  };
  const [row] = await insertTreatments(trx, [newTreatmentRow(deps, found.experiment, treatment, place)]);
  const added = row!;
  const details = { experimentId, name: added.name, weight: added.weight, isControl: added.is_control };
  return { result: added, note: { action: 'treatment.add', target: added.id, details } };
}

function checkRoom(live: readonly TreatmentRow[], treatment: CreateTreatment): void {
  if (live.length >= limits.treatmentsLiveMax) {
    throw new ApiError(
      'TOO_MANY_TREATMENTS',
      `the experiment has ${live.length} live treatments, the most allowed; remove one first`,
    );
  }
  const control = live.find((other) => other.is_control);
  if (treatment.isControl === true && control) {
    throw new ApiError(
      'CONTROL_EXISTS',
      `the experiment has a control already (${control.id}); at most 1 is allowed`,
    );
  }
}
