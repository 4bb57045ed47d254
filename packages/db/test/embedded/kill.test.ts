import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { listCompanies, start, withFolder } from './start.ts';

t.setTimeout(120_000);

t.test('kill -9 at any moment loses nothing that was answered, and the folder opens again', async (t) => {
  const dataDir = join(t.testdir(), 'data');
  const answered: string[] = [];
  for (const [round, nAnswers] of [1, 60, 400].entries()) {
    const writer = spawnWriter(t, dataDir, `r${round}-`);
    await writer.answeredMany(nAnswers);
    if (round === 1) {
      const refused = { name: 'DataFolderInUseError', message: new RegExp(`process ${writer.pid} \\(2026-`) };
      await t.rejects(start(dataDir), refused, 'a second process is told who holds the folder');
    }
    await writer.kill();
    answered.push(...writer.answered);
    const stored = new Set(await withFolder(dataDir, listCompanies));
    t.strictSame(
      answered.filter((id) => !stored.has(id)),
      [],
      `round ${round}: ${answered.length} answered, ${stored.size} stored`,
    );
  }
});

/** A writer in a process of its own, and the ids it was answered. */
function spawnWriter(t: Test, dataDir: string, prefix: string) {
  const path = fileURLToPath(new URL('writer.ts', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [path, dataDir, prefix], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const answered: string[] = [];
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  lines.on('line', (line) => answered.push(line));
  const answeredMany = async (n: number) => {
    while (answered.length < n) await once(lines, 'line');
  };
  const kill = async () => {
    child.kill('SIGKILL');
    await once(lines, 'close');
  };
  return { pid: child.pid as number, answered, answeredMany, kill };
}
