import type { Rng } from '@bandit/core';
import type { ClickSender } from './click-sender.ts';
import type { RunningTest } from './experiment-of-test.ts';
import { failureOf, type PlatformClient } from './platform-client.ts';

/** What visitors of one test were shown, and did. */
export interface Tally {
  /** shape [K]: visitors who were shown each headline */
  readonly shown: number[];
  clicks: number;
}

/**
 * Sends `nVisitors` through every test, in turn: visitor v of every test before visitor v + 1 of any. Each asks the
 * platform for a headline and clicks when a uniform number of their own is below that headline's real click rate, so
 * who clicks on what depends on the seed alone and not on how fast the platform answers.
 *
 * @param uniforms one seeded generator per test
 * @param nAtOnce visitors on their way at the same time, >= 1
 * @param onVisit called after every visit
 * @returns one tally per test, also when `signal` stopped the visits early
 * @throws what a request failed with, after the other visits on their way have ended
 */
export async function sendVisitors(run: {
  client: PlatformClient;
  clicks: ClickSender;
  tests: readonly RunningTest[];
  nVisitors: number;
  nAtOnce: number;
  uniforms: readonly Rng[];
  runId: string;
  signal: AbortSignal;
  onVisit: () => void;
}): Promise<Tally[]> {
  const tallies = run.tests.map(({ test }) => ({ shown: test.headlines.map(() => 0), clicks: 0 }));
  const nVisits = run.nVisitors * run.tests.length;
  let next = 0;
  let failure: { error: unknown } | undefined;

  async function visitInTurn(): Promise<void> {
    while (next < nVisits && !failure && !run.signal.aborted) {
      const index = next % run.tests.length;
      const userId = `visitor-${run.runId}-${Math.floor(next / run.tests.length)}`;
      next += 1;
      await visit(run, index, userId, run.uniforms[index]!.uniform(), tallies[index]!).catch((error) => {
        if (!run.signal.aborted) failure ??= { error };
      });
      run.onVisit();
    }
  }

  await Promise.all(Array.from({ length: Math.min(run.nAtOnce, nVisits) }, visitInTurn));
  if (failure) throw failure.error;
  return tallies;
}

async function visit(
  run: { client: PlatformClient; clicks: ClickSender; tests: readonly RunningTest[] },
  index: number,
  userId: string,
  uniform: number,
  tally: Tally,
): Promise<void> {
  const { experimentId, headlineOfTreatment, test } = run.tests[index]!;
  const answer = await run.client.send('/assignments', { experimentId, userId });
  if (answer.status !== 200) throw failureOf('POST', '/assignments', answer);
  const assignment = answer.body.data as { assignmentId: string; treatment: { id: string } };
  const headline = headlineOfTreatment.get(assignment.treatment.id);
  if (headline === undefined) throw new Error(`${experimentId} served unknown ${assignment.treatment.id}`);
  tally.shown[headline]! += 1;
  if (uniform >= test.clickRates[headline]!) return;
  tally.clicks += 1;
  await run.clicks.add(assignment.assignmentId);
}
