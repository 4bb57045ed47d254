/**
 * The demo: real headline tests of the Upworthy Research Archive, replayed through the API with simulated visitors who
 * click with each headline's real rate. Without `--url` it starts a platform of its own in a folder that is gone
 * afterwards. Exit code 0: the platform beat the even split; 1: it did not, or something failed; 130: stopped.
 */
import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent } from 'undici';
import { formatTable } from './format-table.ts';
import { readHeadlineTests } from './headline-tests.ts';
import { type DemoOptions, readOptions } from './options.ts';
import { openPlatform } from './platform-access.ts';
import { createProgress } from './progress.ts';
import { type RunResult, runTests } from './run-tests.ts';

const extractFile = new URL('data/headlines.json', import.meta.url);

async function main(options: DemoOptions, stop: AbortController): Promise<number> {
  const tests = (await readHeadlineTests(extractFile)).slice(0, options.tests);
  say(
    `${tests.length} real headline tests, ${options.visitors} simulated visitors each, seed ${options.seed}.`,
  );
  const platform = await openPlatform(options, say);
  const dispatcher = new Agent({ connections: options.concurrency + 2, keepAliveTimeout: 30_000 });
  const progress = createProgress(process.stderr, tests.length * options.visitors, () => performance.now());
  try {
    const result = await runTests({
      access: platform.access,
      dispatcher,
      tests,
      options,
      runId: randomBytes(4).toString('hex'),
      signal: stop.signal,
      wait: (milliseconds) => delay(milliseconds, undefined, { signal: stop.signal }),
      nowMs: () => performance.now(),
      progress,
    });
    progress.close();
    report(result, options, stop.signal.aborted);
    if (stop.signal.aborted) return 130;
    return result.summary.beatsEvenSplit ? 0 : 1;
  } finally {
    progress.close();
    await dispatcher.destroy();
    await platform.close();
  }
}

function report(result: RunResult, options: DemoOptions, stopped: boolean): void {
  const { summary, ...run } = result;
  if (options.json) {
    const { seed, visitors } = options;
    console.log(JSON.stringify({ seed, visitors, stopped, ...run, ...summary }));
    return;
  }
  const { total, clicksGained, beatsEvenSplit } = summary;
  const lines = [
    '',
    formatTable(summary),
    '',
    'shown, even split, best: expected click rate of what was shown, of showing every headline equally often, and',
    'of the best headline, by the true rates. clicks lost: expected clicks lost against always showing the best.',
    'regret: clicks lost as a share of those that an even split loses.',
    'Headlines: Upworthy Research Archive (Matias et al. 2021, Scientific Data 8:195), CC BY 4.0; see infra/demo/data.',
    '',
    stopped ? `Stopped after ${total.visitors} visitors.` : describeCounts(result),
    beatsEvenSplit
      ? `The platform beat the even split by ${clicksGained.toFixed(1)} expected clicks ` +
        `(${percent(total.shownRate / total.evenRate - 1)} more) over all tests.`
      : `The platform did NOT beat the even split: ${(-clicksGained).toFixed(1)} expected clicks behind it. With few ` +
        'visitors chance decides; with the defaults this means that learning is broken.',
  ];
  console.log(lines.join('\n'));
}

/** What was sent beside what the platform says it learned: they should be equal. */
function describeCounts({ summary, clicksCounted, learned, seconds }: RunResult): string {
  const { visitors } = summary.total;
  const sent = `${visitors} visitors and ${clicksCounted} clicks in ${seconds.toFixed(0)} s`;
  if (learned?.trials === visitors && learned.conversions === clicksCounted) {
    return `${sent}; the platform's results show every one of them.`;
  }
  return `${sent}, BUT the platform's results show ${learned?.trials} trials and ${learned?.conversions} conversions.`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

function say(message: string): void {
  process.stderr.write(`${message}\n`);
}

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    say('\nStopping…');
    stop.abort(new Error(`stopped by ${signal}`));
  });
}
const options = readOptions(process.argv.slice(2));
process.exitCode = await main(options, stop).catch((error: unknown) => {
  if (stop.signal.aborted) return 130;
  say(`The demo failed: ${error instanceof Error ? error.message : String(error)}`);
  return 1;
});
