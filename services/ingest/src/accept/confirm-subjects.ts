import type { TrackEvent } from '@bandit/contracts';
import type { FindExperiment } from './identify-event.ts';

export interface ConfirmDeps {
  readonly findExperiment: FindExperiment;
  /** Brings the configuration up to date; never rejects. Left out: what memory holds is final. */
  readonly confirmConfiguration?: () => Promise<void>;
}

/**
 * Before a 404: whoever has just created an experiment or a treatment may already report about it. Asks once for all
 * events, and only when one of them names what memory does not hold.
 */
export async function confirmSubjects(
  deps: ConfirmDeps,
  companyId: string,
  events: readonly TrackEvent[],
): Promise<void> {
  if (deps.confirmConfiguration === undefined) return;
  if (events.some((event) => namesUnknown(deps.findExperiment, companyId, event)))
    await deps.confirmConfiguration();
}

function namesUnknown(findExperiment: FindExperiment, companyId: string, event: TrackEvent): boolean {
  const { assignmentId, experimentId, treatmentId } = event;
  if (assignmentId !== undefined || experimentId === undefined || treatmentId === undefined) return false;
  const experiment = findExperiment(companyId, experimentId);
  return !experiment?.treatments.some((treatment) => treatment.id === treatmentId);
}
