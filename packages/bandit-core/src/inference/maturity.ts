/** Where an assignment stands in its attribution window. Instants in seconds of one clock. */
export interface Maturity {
  /** True when the window is over, so that its outcome cannot change any more. */
  readonly isMatured: boolean;
  /** A reward within the window: counts as a success. */
  readonly isRewarded: boolean;
  /** A reward after the window: stored, not learned. */
  readonly isLate: boolean;
}

/**
 * Sorts one assignment for the results page (ALGORITHMS rule 3): the window only divides results, never what is learned
 * from trials. Rates for comparison are taken over matured assignments.
 *
 * @param assignedAt seconds; @param rewardedAt seconds of its first reward, undefined: none
 * @param now seconds; @param window W in seconds, 0 = no limit (matured at once, never late)
 */
export function classifyMaturity(
  assignedAt: number,
  rewardedAt: number | undefined,
  now: number,
  window: number,
): Maturity {
  const isTimely = rewardedAt !== undefined && (window === 0 || rewardedAt - assignedAt <= window);
  return {
    isMatured: window === 0 || now - assignedAt > window,
    isRewarded: isTimely,
    isLate: rewardedAt !== undefined && !isTimely,
  };
}
