import { ApiError, type Bus, type FunnelReward, makeId, subjects, type WakeMessage } from '@bandit/contracts';
import {
  type Database,
  findErasedSubjects,
  findFunnel,
  funnelEventKey,
  insertFunnelReward,
  insertRewardEvents,
  listRewardEventIds,
  partitionOfExperiment,
  type RewardEvent,
  type RewardOrigin,
  resolveLatestAssignments,
  withCompany,
} from '@bandit/db';
import type { LateAssignments } from '@bandit/process';
import type { Kysely, Transaction } from 'kysely';
import { retryUnknown } from '../retry-unknown.ts';
import { funnelNotFound } from './change-funnels.ts';

export interface RewardDeps {
  readonly db: Kysely<Database>;
  readonly bus: Pick<Bus, 'publish'>;
  readonly randomBytes: (nBytes: number) => Uint8Array;
  /** Keyed hash of an end user (auth's codec). */
  readonly hashSubject: (companyId: string, userId: string) => Uint8Array;
  /** Of users who seem to have no assignment: before a 404. Left out: the database is always first. */
  readonly lateAssignments?: LateAssignments | undefined;
}

/**
 * Records the one reward of a user in a funnel and credits the user's latest assignment in each member experiment, in
 * one transaction; afterwards the learners of those experiments are woken.
 *
 * A commit whose outcome nobody can tell is run again with the same event ids: if the first run was stored after all,
 * the second finds its own events instead of a duplicate.
 *
 * @throws ApiError FUNNEL_NOT_FOUND, FUNNEL_COMPLETED, REWARD_ALREADY_RECORDED or NO_ASSIGNMENTS_FOR_USER; STORE_UNAVAILABLE
 *   when the user's assignment may be one that was answered while the database was away and is not in it yet
 */
export async function rewardFunnel(
  deps: RewardDeps,
  companyId: string,
  funnelId: string,
  body: FunnelReward,
): Promise<void> {
  const origin = { companyId, funnelId, userId: body.userId, value: body.value };
  const idOf = stableIds(deps.randomBytes);
  const run = () =>
    retryUnknown((isRerun) =>
      withCompany(deps.db, companyId, (trx) =>
        recordReward(trx, origin, idOf, isRerun, deps.hashSubject(companyId, body.userId)),
      ),
    );
  const partitions = await run().catch(async (error: unknown) => {
    if (deps.lateAssignments === undefined || !isNoAssignments(error)) throw error;
    await deps.lateAssignments.assertNone();
    // It may have been brought in between the two looks.
    return run();
  });
  for (const partition of partitions) {
    const message: WakeMessage = { partition };
    deps.bus.publish(subjects.wake(partition), Buffer.from(JSON.stringify(message)));
  }
}

/** @returns the learner partitions that were touched */
async function recordReward(
  trx: Transaction<Database>,
  origin: RewardOrigin,
  idOf: (experimentId: string) => string,
  isRerun: boolean,
  subject: Uint8Array,
): Promise<Set<number>> {
  const { companyId, funnelId, userId, value } = origin;
  const found = await findFunnel(trx, companyId, funnelId, 'share');
  if (!found) throw funnelNotFound();
  const { funnel, experimentIds } = found;
  if (isRerun && (await isOwnReward(trx, origin, experimentIds, idOf))) return partitionsOf(experimentIds);
  if (funnel.status === 'completed') throw funnelCompleted();

  const reward = { company_id: companyId, funnel_id: funnelId, user_id: userId, value };
  if (!(await insertFunnelReward(trx, reward))) throw alreadyRecorded();
  const latest = await resolveLatestAssignments(trx, companyId, userId, experimentIds);
  // After this transaction has written, and so has its number: whoever erases the user waits for it, or is seen.
  const erased = await findErasedSubjects(
    trx,
    latest.map(({ assignedAtMs }) => ({ companyId, subject, assignedAtMs })),
  );
  const assignments = latest.filter((_, place) => !erased.has(place));
  if (assignments.length === 0) throw noAssignments();
  const events: RewardEvent[] = assignments.map((assignment) => ({
    id: idOf(assignment.experimentId),
    key: funnelEventKey(funnelId, userId, assignment.experimentId),
    experimentId: assignment.experimentId,
    treatmentId: assignment.treatmentId,
    partition: partitionOfExperiment(assignment.experimentId),
    nonce: assignment.nonce,
    assignedAt: new Date(assignment.assignedAtMs),
  }));
  await insertRewardEvents(trx, origin, events);
  return new Set(events.map((event) => event.partition));
}

async function isOwnReward(
  trx: Transaction<Database>,
  { companyId, funnelId, userId }: RewardOrigin,
  experimentIds: readonly string[],
  idOf: (experimentId: string) => string,
): Promise<boolean> {
  const keys = experimentIds.map((experimentId) => funnelEventKey(funnelId, userId, experimentId));
  const stored = await listRewardEventIds(trx, companyId, keys);
  const own = new Set(experimentIds.map(idOf));
  return stored.some((id) => own.has(id));
}

const partitionsOf = (experimentIds: readonly string[]) => new Set(experimentIds.map(partitionOfExperiment));

/** One event id per experiment, the same in every run of this request. */
function stableIds(randomBytes: (nBytes: number) => Uint8Array): (experimentId: string) => string {
  const ids = new Map<string, string>();
  return (experimentId) => {
    const id = ids.get(experimentId) ?? makeId('event', randomBytes(16));
    ids.set(experimentId, id);
    return id;
  };
}

const funnelCompleted = () =>
  new ApiError(
    'FUNNEL_COMPLETED',
    'the funnel is completed; rewards are accepted while it is draft, active or paused',
  );
const alreadyRecorded = () =>
  new ApiError(
    'REWARD_ALREADY_RECORDED',
    'this user has a reward in this funnel already; each user can have one',
  );
const noAssignments = () =>
  new ApiError(
    'NO_ASSIGNMENTS_FOR_USER',
    "this user has no assignment in any of the funnel's experiments; assign the user first",
  );

const isNoAssignments = (error: unknown): boolean =>
  error instanceof ApiError && error.code === 'NO_ASSIGNMENTS_FOR_USER';
