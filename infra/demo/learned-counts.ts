import type { PlatformClient } from './platform-client.ts';

/** What the platform has learned from, over all experiments of a run. */
export interface LearnedCounts {
  readonly trials: number;
  readonly conversions: number;
}

const pollsMax = 25;
const pollIntervalMs = 200;

/**
 * Reads the results of the experiments until they hold what was sent, for at most 5 seconds: learning follows a moment
 * behind the answers.
 *
 * @returns the last counts read, equal to `sent` or not
 */
export async function waitUntilLearned(
  client: PlatformClient,
  experimentIds: readonly string[],
  sent: LearnedCounts,
  wait: (milliseconds: number) => Promise<void>,
): Promise<LearnedCounts> {
  for (let nPolls = 1; ; nPolls++) {
    const learned = await readLearned(client, experimentIds);
    const isComplete = learned.trials >= sent.trials && learned.conversions >= sent.conversions;
    if (isComplete || nPolls === pollsMax) return learned;
    await wait(pollIntervalMs);
  }
}

async function readLearned(client: PlatformClient, experimentIds: readonly string[]): Promise<LearnedCounts> {
  let trials = 0;
  let conversions = 0;
  for (const id of experimentIds) {
    const { treatments } = (await client.manage('GET', `/experiments/${id}/results`)) as {
      treatments: { trials: number; conversions: number }[];
    };
    for (const treatment of treatments) {
      trials += treatment.trials;
      conversions += treatment.conversions;
    }
  }
  return { trials, conversions };
}
