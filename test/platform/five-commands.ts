import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Test } from 'tap';
import type { RunningPlatform } from './kinds.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const run = promisify(execFile);
const baseUrl = 'http://127.0.0.1:3000';
const adminHeader = "-H 'x-user-email: admin@example.com'";
/** Of a few hundred processes that bash starts, on a busy machine. */
const commandsTimeoutMs = 240_000;

/** The README's five commands as they stand there; only where the platform is and who the admin is are the platform's own. */
export async function runFiveCommands(t: Test, platform: RunningPlatform): Promise<void> {
  const block = /<!-- five-commands -->\s*```sh\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  t.ok(block.includes(baseUrl) && block.includes(adminHeader), 'the commands are there');
  const session = Object.entries(platform.sessionOf('admin@example.com'))
    .map(([name, value]) => `-H '${name}: ${value}'`)
    .join(' ');
  const script = block.replaceAll(baseUrl, platform.url).replaceAll(adminHeader, session);
  const { stdout } = await run('bash', ['-c', script], {
    env: { PATH: process.env.PATH, API_KEY: platform.apiKey },
    timeout: commandsTimeoutMs,
  });
  t.notMatch(stdout, '"success":false', 'no command fails');
  const shares = [...stdout.matchAll(/"currentProbability":([0-9.e-]+)/g)].map((match) => Number(match[1]));
  t.equal(shares.length, 2);
  t.ok((shares[1] as number) > 0.9, `Urgency has ${shares[1]}`);
  t.strictSame(platform.findEnded(), []);
}
