import { createRng } from '@bandit/core';
import type { Dispatcher } from 'undici';
import { createClickSender } from './click-sender.ts';
import { type RunningTest, startExperiment } from './experiment-of-test.ts';
import type { HeadlineTest } from './headline-tests.ts';
import { type LearnedCounts, waitUntilLearned } from './learned-counts.ts';
import { createPlatformClient, type PlatformAccess } from './platform-client.ts';
import type { Progress } from './progress.ts';
import { type Summary, summarise } from './summary.ts';
import { sendVisitors } from './visit.ts';

export interface RunResult {
  readonly summary: Summary;
  readonly experimentIds: readonly string[];
  /** Clicks that the platform answered as counted. */
  readonly clicksCounted: number;
  /** What the platform's results show; undefined when the run was stopped. */
  readonly learned: LearnedCounts | undefined;
  /** From the first visitor to the last click. */
  readonly seconds: number;
}

/** Clicks reach the platform at most this long after they happened. */
const flushIntervalMs = 100;

/**
 * Replays the tests on a running platform, from creating the experiments to the summary. When `signal` aborts, the
 * result covers the visitors until then.
 *
 * @param wait as in `createPlatformClient`
 */
export async function runTests(run: {
  access: PlatformAccess;
  dispatcher: Dispatcher;
  tests: readonly HeadlineTest[];
  options: { visitors: number; seed: number; concurrency: number };
  runId: string;
  signal: AbortSignal;
  wait: (milliseconds: number) => Promise<void>;
  nowMs: () => number;
  progress: Progress;
}): Promise<RunResult> {
  const { tests, options, progress, nowMs } = run;
  const client = createPlatformClient(run);
  const running: RunningTest[] = [];
  for (const [index, test] of tests.entries()) running.push(await startExperiment(client, test, index + 1));

  const startedAtMs = nowMs();
  const clicks = createClickSender(client, flushIntervalMs);
  const tallies = await sendVisitors({
    client,
    clicks,
    tests: running,
    nVisitors: options.visitors,
    nAtOnce: options.concurrency,
    uniforms: tests.map((_, index) => createRng(BigInt(options.seed) * 1_000n + BigInt(index))),
    runId: run.runId,
    signal: run.signal,
    onVisit: () => progress.step(),
  }).catch(async (error: unknown) => {
    await clicks.close().catch(() => undefined);
    throw error;
  });
  const clicksCounted = await clicks.close().catch((error: unknown) => {
    if (run.signal.aborted) return 0;
    throw error;
  });
  const seconds = (nowMs() - startedAtMs) / 1_000;
  const summary = summarise(tests, tallies);
  const experimentIds = running.map(({ experimentId }) => experimentId);
  const sent = { trials: summary.total.visitors, conversions: clicksCounted };
  const learned = run.signal.aborted
    ? undefined
    : await waitUntilLearned(client, experimentIds, sent, run.wait);
  return { summary, experimentIds, clicksCounted, learned, seconds };
}
