import type { Experiment, Treatment } from '@bandit/contracts';
import type { ExperimentWithTreatments, TreatmentRow } from '@bandit/db';

/** The experiment as the API shows it. */
export function presentExperiment({ experiment, treatments }: ExperimentWithTreatments): Experiment {
  return {
    id: experiment.id,
    name: experiment.name,
    description: experiment.description,
    algorithm: experiment.algorithm,
    algorithmConfig: experiment.algorithm_config,
    contentType: experiment.content_type,
    status: experiment.status,
    assignmentTtl: experiment.assignment_ttl,
    endAt: experiment.end_at?.toISOString() ?? null,
    createdAt: experiment.created_at.toISOString(),
    updatedAt: experiment.updated_at.toISOString(),
    treatments: treatments.map(presentTreatment),
  };
}

export function presentTreatment(treatment: TreatmentRow): Treatment {
  return {
    id: treatment.id,
    experimentId: treatment.experiment_id,
    name: treatment.name,
    description: treatment.description,
    config: treatment.config,
    weight: treatment.weight,
    isControl: treatment.is_control,
    createdAt: treatment.created_at.toISOString(),
  };
}
