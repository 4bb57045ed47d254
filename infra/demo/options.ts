import { Command, InvalidArgumentError } from 'commander';

export interface DemoOptions {
  /** 1 … testsMax */
  readonly tests: number;
  /** Visitors of each test, 1 … 1,000,000. */
  readonly visitors: number;
  readonly seed: number;
  /** Visitors on their way at once, 1 … 256. */
  readonly concurrency: number;
  /** A running platform; undefined starts one. */
  readonly url: string | undefined;
  readonly key: string | undefined;
  readonly session: string | undefined;
  readonly json: boolean;
}

const testsMax = 16;

/** Reads the command line; commander prints what is wrong, or the help, and ends the process. */
export function readOptions(args: readonly string[]): DemoOptions {
  const command = new Command('demo')
    .description('Replays real headline tests through the API with simulated visitors.')
    .option('--tests <n>', `headline tests to replay, 1 to ${testsMax}`, wholeNumber(1, testsMax), 8)
    .option('--visitors <n>', 'visitors of each test', wholeNumber(1, 1_000_000), 6_000)
    .option('--seed <n>', 'decides who clicks on what', wholeNumber(0, 2 ** 31 - 1), 1)
    .option('--concurrency <n>', 'visitors on their way at once', wholeNumber(1, 256), 32)
    .option('--url <url>', 'a running platform (default: start one in a temporary folder)')
    .option('--key <key>', 'API key of the running platform')
    .option(
      '--session <session>',
      'its session: an e-mail (x-user-email), "name=value" (cookie) or a bearer token',
    )
    .option('--json', 'the result as JSON on stdout', false);
  const options = command.parse(args, { from: 'user' }).opts<Partial<DemoOptions>>();
  const { url, key, session } = options;
  if ((url === undefined) !== (key === undefined) || (url === undefined) !== (session === undefined)) {
    command.error('error: --url, --key and --session belong together: give all three or none');
  }
  return { ...(options as DemoOptions), url, key, session };
}

function wholeNumber(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= low && value <= high) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${low} to ${high}, got ${text}.`);
  };
}
