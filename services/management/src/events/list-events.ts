import type { Event } from '@bandit/contracts';
import {
  countEvents,
  type Database,
  type EventPage,
  findExperiment,
  type ListedEvent,
  listEvents as queryEvents,
  type StoredAssignment,
  withCompany,
} from '@bandit/db';
import type { Kysely } from 'kysely';
import { experimentNotFound } from '../experiments/experiment-not-found.ts';

export interface ListEventsDeps {
  readonly db: Kysely<Database>;
  /** The assignment's id: a function of its fields alone, so it is made again instead of stored. */
  readonly signAssignment: (assignment: StoredAssignment) => string;
}

/**
 * One page of an experiment's history, newest first, and how long the history is.
 *
 * @throws ApiError EXPERIMENT_NOT_FOUND
 */
export async function listEvents(
  deps: ListEventsDeps,
  companyId: string,
  experimentId: string,
  page: EventPage,
): Promise<{ events: Event[]; total: number }> {
  const { rows, total } = await withCompany(deps.db, companyId, async (trx) => {
    if (!(await findExperiment(trx, companyId, experimentId))) throw experimentNotFound();
    const rows = await queryEvents(trx, companyId, experimentId, page);
    return { rows, total: await countEvents(trx, companyId, experimentId) };
  });
  return { events: rows.map((row) => presentEvent(deps, experimentId, row)), total };
}

function presentEvent(deps: ListEventsDeps, experimentId: string, row: ListedEvent): Event {
  const { assignment, funnelId } = row;
  return {
    id: row.id,
    experimentId,
    treatmentId: row.treatmentId,
    userId: row.userId,
    eventType: row.eventType,
    value: row.value,
    metadata: {
      ...row.metadata,
      ...(assignment === undefined ? {} : { assignmentId: deps.signAssignment(assignment) }),
      ...(funnelId === undefined ? {} : { funnelId }),
    },
    timestamp: row.receivedAt.toISOString(),
  };
}
