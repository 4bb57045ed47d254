import type { Experiment, Funnel } from '@bandit/contracts';
import type { ExperimentWithTreatments, FunnelWithSteps } from '@bandit/db';
import { presentExperiment } from '../experiments/present-experiment.ts';

export function presentFunnel({ funnel, experimentIds }: FunnelWithSteps): Funnel {
  return {
    id: funnel.id,
    name: funnel.name,
    description: funnel.description,
    experimentIds: [...experimentIds],
    status: funnel.status,
    createdAt: funnel.created_at.toISOString(),
    updatedAt: funnel.updated_at.toISOString(),
  };
}

export interface FunnelDetail extends Funnel {
  experiments: Pick<Experiment, 'id' | 'name' | 'status' | 'treatments'>[];
}

/** @param steps in the order of the funnel */
export function presentFunnelDetail(
  found: FunnelWithSteps,
  steps: readonly ExperimentWithTreatments[],
): FunnelDetail {
  const experiments = steps.map((step) => {
    const { id, name, status, treatments } = presentExperiment(step);
    return { id, name, status, treatments };
  });
  return { ...presentFunnel(found), experiments };
}
