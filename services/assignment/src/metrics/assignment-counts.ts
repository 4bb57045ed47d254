import { type Algorithm, algorithms } from '@bandit/contracts';

/**
 * Where an answer came from: `known` this process, `cache` the shared cache, `draw` a new decision on record, `held`
 * the assignment that stood in the database, `claimed` another instance's while the database was away, `fallback` a
 * decision made without it.
 */
export const assignmentOrigins = ['known', 'cache', 'draw', 'held', 'claimed', 'fallback'] as const;
export type AssignmentOrigin = (typeof assignmentOrigins)[number];

/** `lost`: another instance came first; `failed`: the cache is away too. */
export const claimOutcomes = ['won', 'lost', 'failed'] as const;
export type ClaimOutcome = (typeof claimOutcomes)[number];

/** Plain counters: adding one costs nothing on the hot path, the registry reads them when it is scraped. */
export interface AssignmentCounts {
  add(algorithm: Algorithm, origin: AssignmentOrigin): void;
  /** Claims of the shared cache while the database was away. */
  readonly claims: Record<ClaimOutcome, number>;
  entries(): Array<{ algorithm: Algorithm; origin: AssignmentOrigin; count: number }>;
}

export function createAssignmentCounts(): AssignmentCounts {
  const zeros = () => Object.fromEntries(assignmentOrigins.map((origin) => [origin, 0]));
  const counts = Object.fromEntries(algorithms.map((algorithm) => [algorithm, zeros()])) as Record<
    Algorithm,
    Record<AssignmentOrigin, number>
  >;
  return {
    claims: { won: 0, lost: 0, failed: 0 },
    add(algorithm, origin) {
      counts[algorithm][origin]++;
    },
    entries: () =>
      algorithms.flatMap((algorithm) =>
        assignmentOrigins.map((origin) => ({ algorithm, origin, count: counts[algorithm][origin] })),
      ),
  };
}
