import type { ExperimentSnapshot, TreatmentSnapshot } from '@bandit/contracts';

/**
 * Experiments by id, where one that did not change stays the object it was: what readers prepared for it (policies,
 * serialised treatments) stays valid when another experiment of the company changes.
 */
export function keepUnchanged(
  before: ReadonlyMap<string, ExperimentSnapshot> | undefined,
  after: readonly ExperimentSnapshot[],
): ReadonlyMap<string, ExperimentSnapshot> {
  const kept = new Map<string, ExperimentSnapshot>();
  for (const experiment of after) {
    const held = before?.get(experiment.id);
    kept.set(experiment.id, held && isSameExperiment(held, experiment) ? held : experiment);
  }
  return kept;
}

function isSameExperiment(a: ExperimentSnapshot, b: ExperimentSnapshot): boolean {
  return (
    a.status === b.status &&
    a.assignmentTtlSeconds === b.assignmentTtlSeconds &&
    a.endAtMs === b.endAtMs &&
    a.algorithm === b.algorithm &&
    a.contentType === b.contentType &&
    a.partition === b.partition &&
    a.treatments.length === b.treatments.length &&
    // jsonb comes back with its keys in one order, so equal values have equal texts.
    JSON.stringify(a.algorithmConfig) === JSON.stringify(b.algorithmConfig) &&
    a.treatments.every((treatment, position) => isSameTreatment(treatment, b.treatments[position]!))
  );
}

function isSameTreatment(a: TreatmentSnapshot, b: TreatmentSnapshot): boolean {
  return (
    a.id === b.id &&
    a.name === b.name &&
    a.weight === b.weight &&
    a.isLive === b.isLive &&
    a.isOriginal === b.isOriginal &&
    a.config.content === b.config.content &&
    JSON.stringify(a.config.metadata) === JSON.stringify(b.config.metadata)
  );
}
