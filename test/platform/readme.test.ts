import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { makeDataDir, startChild } from './child-platform.ts';
import { runFiveCommands } from './five-commands.ts';
import { testOn } from './kinds.ts';

const run = promisify(execFile);

// A slow machine is not a failure.
t.setTimeout(300_000);

t.test("the README's five commands work as written and move the share", (t) =>
  testOn(t, 'embedded', runFiveCommands),
);

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
