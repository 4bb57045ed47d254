/**
 * Thompson sampling on real headline tests: the regret per visitor relative to uniform allocation, with each test's
 * arms at their shrunk click rates and as many visitors as it had.
 *
 * node bench/headlines.ts --data FILE [--tests N] [--batch B] [--delay D] [--algorithm NAME] [--seed S]
 *
 * FILE is a CSV (gzip or plain) with columns test_id, imbalance_period, arm, headline, impressions, clicks; rows with
 * imbalance_period True are left out. Rates are (clicks + k m) / (impressions + k), m the test's own rate, k the strength
 * that fits the spread of all tests' arms by the method of moments. Floor 0. Progress goes to stderr; the last line of
 * stdout is {"ratio":…, "se":…, "tests":…, "strength":…}.
 */
import { parseArgs } from 'node:util';
import { type Algorithm, createRng, playBernoulli } from '@bandit/core';
import { parseCsv, readText } from './classification-data.ts';

interface HeadlineArm {
  readonly impressions: number;
  readonly clicks: number;
}

main();

function main(): void {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      tests: { type: 'string', default: '200' },
      batch: { type: 'string', default: '1' },
      delay: { type: 'string', default: '0' },
      algorithm: { type: 'string', default: 'THOMPSON_SAMPLING' },
      seed: { type: 'string', default: '1' },
    },
  });
  if (!values.data) throw new Error('--data must be given');
  const tests = readTests(values.data);
  const strength = fitStrength(tests);
  const step = Math.max(1, Math.floor(tests.length / Number(values.tests)));
  const pairs = tests
    .filter((_, i) => i % step === 0)
    .map((arms, i): [number, number] => {
      if (i % 20 === 0) process.stderr.write(`test ${i + 1}\n`);
      const means = shrink(arms, strength);
      const nSteps = arms.reduce((sum, { impressions }) => sum + impressions, 0);
      const spec = {
        algorithm: values.algorithm as Algorithm,
        config: { explorationFloor: 0 },
      };
      const game = { spec, means, nSteps, batch: Number(values.batch), delay: Number(values.delay) };
      const { regret } = playBernoulli(game, createRng(Number(values.seed) + i));
      const best = Math.max(...means);
      const uniform = means.reduce((sum, mean) => sum + (best - mean) / means.length, 0);
      return [regret / nSteps, uniform];
    });
  console.log(JSON.stringify({ ...ratioOf(pairs), tests: pairs.length, strength }));
}

/** Tests with at least two arms, in the order of the file. */
function readTests(file: string): HeadlineArm[][] {
  const [header = [], ...records] = parseCsv(readText(file));
  const cell = (record: readonly string[], name: string) => record[header.indexOf(name)] ?? '';
  const tests = new Map<string, HeadlineArm[]>();
  for (const record of records) {
    if (cell(record, 'imbalance_period') === 'True') continue;
    const arms = tests.get(cell(record, 'test_id')) ?? [];
    arms.push({ impressions: Number(cell(record, 'impressions')), clicks: Number(cell(record, 'clicks')) });
    tests.set(cell(record, 'test_id'), arms);
  }
  return [...tests.values()].filter((arms) => arms.length > 1);
}

function rateOf(arms: readonly HeadlineArm[]): number {
  const impressions = arms.reduce((sum, arm) => sum + arm.impressions, 0);
  return arms.reduce((sum, arm) => sum + arm.clicks, 0) / impressions;
}

/** k with m (1 - m) / (k + 1) = the spread of true rates, summed over all arms: the observed spread less its noise. */
function fitStrength(tests: readonly HeadlineArm[][]): number {
  let spread = 0;
  let largest = 0;
  for (const arms of tests) {
    const m = rateOf(arms);
    for (const { impressions, clicks } of arms) {
      const free = arms.length / (arms.length - 1);
      spread += free * (clicks / impressions - m) ** 2 - (m * (1 - m)) / impressions;
      largest += m * (1 - m);
    }
  }
  return Math.max(1, largest / spread - 1);
}

function shrink(arms: readonly HeadlineArm[], strength: number): number[] {
  const m = rateOf(arms);
  return arms.map(({ impressions, clicks }) => (clicks + strength * m) / (impressions + strength));
}

/** Sum of the first over sum of the second, with its standard error by linearisation. */
function ratioOf(pairs: readonly (readonly [number, number])[]): { ratio: number; se: number } {
  const top = pairs.reduce((sum, [a]) => sum + a, 0);
  const bottom = pairs.reduce((sum, [, b]) => sum + b, 0);
  const ratio = top / bottom;
  const squares = pairs.reduce((sum, [a, b]) => sum + (a - ratio * b) ** 2, 0);
  return { ratio, se: Math.sqrt(squares) / bottom };
}
