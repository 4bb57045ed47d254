import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import t from 'tap';
import { makeDataDir, startChild } from './child-platform.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const run = promisify(execFile);

// A slow machine is not a failure.
t.setTimeout(300_000);

t.test("the README's five commands work as written and move the share", async (t) => {
  const block = /<!-- five-commands -->\s*```sh\n([\s\S]*?)```/.exec(readme)?.[1];
  t.ok(block, 'the commands are there');
  const platform = await startChild(t, await makeDataDir(t));
  const script = (block as string).replaceAll('http://127.0.0.1:3000', platform.url);
  const { stdout } = await run('bash', ['-c', script], {
    env: { PATH: process.env.PATH, API_KEY: platform.apiKey },
    timeout: 120_000,
  });
  t.notMatch(stdout, '"success":false', 'no command fails');
  const shares = [...stdout.matchAll(/"currentProbability":([0-9.e-]+)/g)].map((match) => Number(match[1]));
  t.equal(shares.length, 2);
  t.ok((shares[1] as number) > 0.9, `Urgency has ${shares[1]}`);
});

t.test('the first curl that the first start prints works when pasted', async (t) => {
  const platform = await startChild(t, await makeDataDir(t));
  const command = platform
    .messages()
    .split('\n')
    .find((line) => line.includes('curl -s'));
  const { stdout } = await run('bash', ['-c', (command as string).trim()], { timeout: 20_000 });
  t.match(JSON.parse(stdout), { success: true, data: { status: 'draft' } });
});

t.test('a second process on the same folder is refused in one clear sentence', async (t) => {
  const dataDir = await makeDataDir(t);
  await startChild(t, dataDir);
  await t.rejects(startChild(t, dataDir), /is in use by process \d+/);
});

t.test('every mistake of the configuration is named in one message', async (t) => {
  const dataDir = await makeDataDir(t);
  await t.rejects(
    startChild(t, dataDir, { PORT: 'many', LOG_LEVEL: 'loud' }),
    /2 mistakes[\s\S]*PORT[\s\S]*LOG_LEVEL/,
  );
});
