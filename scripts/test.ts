/**
 * Runs every test file as a process of its own, as many at a time as there are processors (four at most), the heavy ones
 * alone after the others (test-files/plan-runs.ts), and sums up the TAP they print.
 *
 *   node scripts/test.ts [--jobs N] [part of a path …]
 *
 * Prints a line a file, the whole output of files that failed, and last `N passed, N failed, N skipped`
 * (counts of top-level tests). Exit code 1 when anything failed or nothing ran.
 */
import { spawn } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type FinalResults, Parser } from 'tap-parser';
import { planRuns, runPlan } from './test-files/plan-runs.ts';

const fileTimeoutMs = 600_000;
const outputBytesMax = 2_000_000;
const patterns = [
  'packages/*/test/**/*.test.ts',
  'services/*/test/**/*.test.ts',
  'infra/**/*.test.ts',
  'scripts/**/*.test.ts',
  'test/**/*.test.ts',
];

interface FileResult {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
  readonly output: string;
}

const { values, positionals } = parseArgs({
  options: { jobs: { type: 'string', default: String(Math.min(4, availableParallelism())) } },
  allowPositionals: true,
});
const jobs = Number(values.jobs);
if (!Number.isInteger(jobs) || jobs < 1) {
  console.error(`--jobs must be a whole number of at least 1, got ${values.jobs}`);
  process.exit(2);
}

const files = globSync(patterns, { exclude: ['**/node_modules/**'] })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)))
  .sort();
process.exitCode = report(await runAll(files));

async function runAll(pending: readonly string[]): Promise<FileResult[]> {
  const plan = planRuns(pending, (file) => readFileSync(file, 'utf8'));
  let nDone = 0;
  return runPlan(plan, jobs, async (file) => {
    const result = await runFile(file);
    nDone += 1;
    announce(result, nDone, pending.length);
    return result;
  });
}

function runFile(file: string): Promise<FileResult> {
  return new Promise((resolve) => {
    const startedAt = performance.now();
    const child = spawn(process.execPath, ['--no-warnings', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', TAP_TIMEOUT: String(fileTimeoutMs / 1000) },
    });
    let output = '';
    const keep = (chunk: Buffer): void => {
      if (output.length < outputBytesMax) output += chunk.toString();
    };
    const parser = new Parser();
    let results: FinalResults | undefined;
    parser.on('complete', (final) => {
      results = final;
    });
    child.stdout.on('data', (chunk: Buffer) => {
      keep(chunk);
      parser.write(chunk);
    });
    child.stderr.on('data', keep);
    const timer = setTimeout(() => child.kill('SIGKILL'), fileTimeoutMs);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      parser.end();
      const seconds = (performance.now() - startedAt) / 1000;
      resolve(summarise(file, results, code, signal, seconds, output));
    });
  });
}

function summarise(
  file: string,
  results: FinalResults | undefined,
  code: number | null,
  signal: string | null,
  seconds: number,
  output: string,
): FileResult {
  const skipped = (results?.skip ?? 0) + (results?.todo ?? 0);
  const failed = results?.fail ?? 0;
  const passed = Math.max(0, (results?.pass ?? 0) - skipped);
  const isBroken = code !== 0 || results === undefined || !results.ok;
  const note =
    signal === null
      ? ''
      : `\nended by ${signal} after ${seconds.toFixed(0)} s (limit ${fileTimeoutMs / 1000} s)\n`;
  return {
    file,
    passed,
    failed: isBroken ? Math.max(1, failed) : 0,
    skipped,
    seconds,
    output: output + note,
  };
}

function announce(result: FileResult, nDone: number, nFiles: number): void {
  const state = result.failed > 0 ? 'FAIL' : 'ok  ';
  const counts = `${result.passed} passed${result.skipped > 0 ? `, ${result.skipped} skipped` : ''}`;
  console.log(`${state} [${nDone}/${nFiles}] ${result.file} (${counts}, ${result.seconds.toFixed(1)} s)`);
  for (const line of result.output.split('\n'))
    if (line.includes('NOT TESTED')) console.log(`     ${line.trim()}`);
  if (result.failed > 0) console.log(result.output.replace(/^/gm, '     '));
}

function report(results: readonly FileResult[]): number {
  const sum = (pick: (result: FileResult) => number): number =>
    results.reduce((total, result) => total + pick(result), 0);
  const failed = sum((result) => result.failed);
  const broken = results.filter((result) => result.failed > 0).map((result) => result.file);
  if (broken.length > 0) console.log(`\nFailed files:\n  ${broken.join('\n  ')}`);
  const notTested = results.filter(({ output }) => output.includes('NOT TESTED')).map(({ file }) => file);
  if (notTested.length > 0)
    console.log(`\nNOT TESTED in full, a store is missing:\n  ${notTested.join('\n  ')}`);
  if (results.length === 0)
    console.log(`No test file matches: ${positionals.join(' ') || patterns.join(' ')}`);
  console.log(
    `\n${sum((result) => result.passed)} passed, ${failed} failed, ${sum((result) => result.skipped)} skipped`,
  );
  return failed > 0 || results.length === 0 ? 1 : 0;
}
