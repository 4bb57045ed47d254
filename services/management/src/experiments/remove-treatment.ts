import { ApiError } from '@bandit/contracts';
import {
  removeTreatment as deleteSoftly,
  findExperiment,
  findLiveTreatment,
  type TreatmentRow,
} from '@bandit/db';
import { type Author, type ChangeDeps, changeCompany } from '../change-company.ts';
import { experimentNotFound } from './experiment-not-found.ts';

/**
 * Takes a treatment out of service for good; its history stays.
 *
 * @throws ApiError EXPERIMENT_NOT_FOUND, TREATMENT_NOT_FOUND, TREATMENT_NOT_IN_EXPERIMENT or LAST_TREATMENT
 */
export function removeTreatment(
  deps: ChangeDeps,
  author: Author,
  experimentId: string,
  treatmentId: string,
): Promise<TreatmentRow> {
  const { companyId } = author;
  return changeCompany(deps, author, async (trx) => {
    const found = await findExperiment(trx, companyId, experimentId);
    if (!found) throw experimentNotFound();
    const treatment = await findLiveTreatment(trx, companyId, treatmentId);
    if (!treatment)
      throw new ApiError('TREATMENT_NOT_FOUND', 'treatment not found: the id names none in service');
    if (treatment.experiment_id !== experimentId) {
      throw new ApiError(
        'TREATMENT_NOT_IN_EXPERIMENT',
        `treatment ${treatmentId} belongs to another experiment than ${experimentId}`,
      );
    }
    if (found.experiment.status === 'active' && found.treatments.length === 1) {
      throw new ApiError(
        'LAST_TREATMENT',
        'this is the last treatment of an active experiment; pause the experiment or add another first',
      );
    }
    await deleteSoftly(trx, companyId, experimentId, treatmentId);
    const details = { experimentId, name: treatment.name };
    return { result: treatment, note: { action: 'treatment.remove', target: treatmentId, details } };
  });
}
