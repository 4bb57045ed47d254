import { type CreateTreatment, makeId } from '@bandit/contracts';
import type { ExperimentRow, NewRow } from '@bandit/db';
import type { ChangeDeps } from '../change-company.ts';

/** @param place `position` is the arm index for ever; `isOriginal`: there before the first activation */
export function newTreatmentRow(
  deps: Pick<ChangeDeps, 'randomBytes'>,
  experiment: Pick<ExperimentRow, 'company_id' | 'id'>,
  treatment: CreateTreatment,
  place: { readonly position: number; readonly isOriginal: boolean; readonly strategy?: string | undefined },
): NewRow<'treatments'> {
  return {
    company_id: experiment.company_id,
    experiment_id: experiment.id,
    id: makeId('treatment', deps.randomBytes(16)),
    position: place.position,
    name: treatment.name,
    description: treatment.description ?? null,
    config: JSON.stringify(treatment.config),
    weight: treatment.weight ?? 1,
    is_control: treatment.isControl ?? false,
    is_original: place.isOriginal,
    strategy: place.strategy ?? null,
  };
}
