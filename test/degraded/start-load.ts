import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import type { LoadOrder, LoadReport } from './load-messages.ts';

export interface Load {
  /** Lets what was sent be answered. @returns all that was sent since the start */
  stop(): Promise<LoadReport>;
}

/** Resolves once all known users have their treatment and the load runs. */
export async function startLoad(t: Test, order: LoadOrder): Promise<Load> {
  const child = fork(fileURLToPath(new URL('./load-process.ts', import.meta.url)), {
    execArgv: ['--no-warnings'],
    serialization: 'advanced',
  });
  t.teardown(() => void child.kill('SIGKILL'));
  child.send(order);
  await once(child, 'message');
  return {
    stop: async () => {
      const reported = once(child, 'message');
      child.send('stop');
      const [report] = await reported;
      return report as LoadReport;
    },
  };
}
