/** The demo as a user runs it: its own process, a platform of its own, real HTTP, real learning. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import type { Summary } from '../summary.ts';

const demo = fileURLToPath(new URL('../demo.ts', import.meta.url));

/** Runs the demo with a temporary folder of its own. @returns what it printed, how it ended, what it left behind */
async function runDemo(
  t: Test,
  args: string[],
  onStderr: (line: string, stop: () => void) => void = () => {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'demo-test-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const child = spawn(process.execPath, [demo, ...args], {
    env: { PATH: process.env.PATH, TMPDIR: folder, HOME: folder },
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => onStderr(chunk, () => child.kill('SIGINT')));
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.once('close', resolve)),
  ]);
  return { stdout, stderr, code, left: await readdir(folder) };
}

t.test('two small tests from start to end, as JSON', async (t) => {
  const { stdout, stderr, code, left } = await runDemo(t, [
    '--tests',
    '2',
    '--visitors',
    '200',
    '--seed',
    '5',
    '--json',
  ]);
  const result = JSON.parse(stdout) as Summary & {
    clicksCounted: number;
    experimentIds: string[];
    seed: number;
  };
  t.comment('seed 5');
  t.equal(result.seed, 5);
  t.same(
    result.tests.map(({ visitors }) => visitors),
    [200, 200],
    stderr,
  );
  t.equal(result.clicksCounted, result.total.clicks, 'every click was counted');
  t.ok(result.experimentIds.every((id) => /^exp_[\w-]{22}$/.test(id)));
  // 400 visitors teach little: which way it goes is chance, that the exit code says so is not.
  t.equal(code, result.beatsEvenSplit ? 0 : 1);
  t.match(stderr, /400 of 400 visitors/);
  t.same(left, [], 'the temporary folder is gone');
});

t.test('Ctrl-C stops cleanly', async (t) => {
  const { code, stderr, left } = await runDemo(t, ['--tests', '1', '--visitors', '1000000'], (line, stop) => {
    if (/ of 1000000 visitors/.test(line)) stop();
  });
  t.equal(code, 130, stderr);
  t.match(stderr, /Stopping/);
  t.same(left, []);
});

t.test('a mistake on the command line is named', async (t) => {
  const mistakes: [string[], RegExp][] = [
    [['--tests', '17'], /must be a whole number from 1 to 16, got 17/],
    [['--visitors', 'many'], /must be a whole number from 1 to 1000000, got many/],
    [['--url', 'http://127.0.0.1:1'], /--url, --key and --session belong together/],
    [['--speed', '9'], /unknown option '--speed'/],
  ];
  for (const [args, message] of mistakes) {
    const { code, stderr, stdout } = await runDemo(t, args);
    t.match(stderr, message);
    t.same([code, stdout], [1, '']);
  }
});

t.test('a platform that is not there is named', async (t) => {
  const args = ['--url', 'http://127.0.0.1:1', '--key', 'k', '--session', 'a@example.com'];
  const { code, stderr } = await runDemo(t, args);
  t.equal(code, 1);
  t.match(stderr, /The demo failed: .*127\.0\.0\.1:1/);
});
