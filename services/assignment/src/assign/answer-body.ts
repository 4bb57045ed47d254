import type { ExperimentSnapshot } from '@bandit/contracts';
import type { KnownAssignment } from './known-assignment.ts';

/**
 * The answer as JSON text. What does not change between users is serialised once per experiment configuration.
 * @param nowMs database time
 */
export function answerBody(experiment: ExperimentSnapshot, known: KnownAssignment, nowMs: number): string {
  const treatment = treatmentTexts(experiment)[known.position];
  const timestamp = new Date(nowMs).toISOString();
  return `{"success":true,"data":{"assignmentId":"${known.assignmentId}",${treatment},"confidence":${known.confidence}},"timestamp":"${timestamp}"}`;
}

/** By snapshot: a changed experiment is a new object, and the old one's texts go with it. */
const textsOf = new WeakMap<ExperimentSnapshot, readonly string[]>();

function treatmentTexts(experiment: ExperimentSnapshot): readonly string[] {
  let texts = textsOf.get(experiment);
  if (!texts) {
    texts = experiment.treatments.map(({ id, name, config }) => {
      const treatment = JSON.stringify({ id, name, config });
      return `"experimentId":${JSON.stringify(experiment.id)},"treatment":${treatment}`;
    });
    textsOf.set(experiment, texts);
  }
  return texts;
}
