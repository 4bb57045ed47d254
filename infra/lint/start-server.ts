import { spawn, spawnSync } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const readyMsMax = 30_000;
const pollMs = 20;

export interface RunningServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** True when that program is on the path. */
export function hasProgram(name: string): boolean {
  return spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/**
 * Runs a server until `stop`, with its settings from the files of this repository.
 *
 * @param argsFor what comes behind the program's name, for a port that is free
 * @throws with what it printed, when it ends or does not take connections within half a minute
 */
export async function startServer(
  program: string,
  argsFor: (port: number) => readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<RunningServer> {
  const port = await findFreePort();
  const child = spawn(program, argsFor(port), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let output = '';
  child.stdout.on('data', (chunk) => (output += String(chunk)));
  child.stderr.on('data', (chunk) => (output += String(chunk)));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const stop = async () => {
    if (!hasEnded()) child.kill('SIGKILL');
    await ended;
  };
  const deadlineMs = Date.now() + readyMsMax;
  while (!(await takesConnections(port))) {
    if (hasEnded() || Date.now() > deadlineMs) {
      await stop();
      throw new Error(`${program} did not start: ${output.slice(-2_000)}`);
    }
    await delay(pollMs);
  }
  return { port, stop };
}

export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => socket.end(() => resolve(true)));
    socket.once('error', () => resolve(false));
  });
}
