import {
  assignmentEventKey,
  clientTrialNonce,
  findKeyTimes,
  type OpenedDatabase,
  resolveAssignments,
  type StoredAssignment,
  type Triplet,
} from '@bandit/db';

/**
 * Which assignments triplets mean. Where facts are dropped some day, a client-made one whose row is gone is still known
 * by its identity: it is resolved to what that tells, so that an event on it is refused as one on an old assignment.
 *
 * @param expiredBeforeMs undefined where facts are kept for ever
 * @returns shape of `triplets`; undefined where the user never had that treatment
 */
export async function resolveTriplets(
  db: OpenedDatabase['db'],
  companyId: string,
  triplets: readonly Triplet[],
  expiredBeforeMs: number | undefined,
): Promise<(StoredAssignment | undefined)[]> {
  const found = await resolveAssignments(db, companyId, triplets);
  const open = triplets.flatMap((triplet, place) =>
    found[place] === undefined ? [{ place, gone: clientMade(companyId, triplet) }] : [],
  );
  if (expiredBeforeMs === undefined || open.length === 0) return found;
  const keys = open.map(({ gone }) => assignmentEventKey(gone.nonce, 'ASSIGNMENT'));
  const times = await findKeyTimes(db, companyId, keys);
  open.forEach(({ place, gone }, index) => {
    const atMs = times[index];
    if (atMs !== undefined && atMs < expiredBeforeMs)
      found[place] = { ...gone, assignedAtMs: atMs, expiresAtMs: atMs };
  });
  return found;
}

function clientMade(companyId: string, triplet: Triplet): StoredAssignment {
  const { experimentId, treatmentId, userId } = triplet;
  return {
    companyId,
    experimentId,
    treatmentId,
    userId,
    nonce: clientTrialNonce(companyId, experimentId, treatmentId, userId),
    assignedAtMs: 0,
    expiresAtMs: 0,
    propensity: undefined,
    confidence: 0,
    stateVersion: 0,
    macKeyId: '',
  };
}
