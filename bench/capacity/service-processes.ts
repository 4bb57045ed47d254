import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readCpuSeconds } from './cpu.ts';

export interface ServiceProcess {
  readonly name: string;
  readonly url: string;
  /** Seconds of processor time, user and system, since its start. */
  cpuSeconds(): number;
  stop(): Promise<void>;
}

const readyMsMax = 60_000;

/** A service as a process of its own, ready. */
export async function startService(
  name: string,
  service: string,
  env: Readonly<Record<string, string>>,
): Promise<ServiceProcess> {
  const main = fileURLToPath(new URL(`../../services/${service}/src/main.ts`, import.meta.url));
  const child = fork(main, {
    env: { PATH: process.env.PATH, PORT: '0', LOG_LEVEL: 'warn', ...env },
    execArgv: ['--no-warnings'],
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.once('message', (message: { url: string }) => resolve(message.url));
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code} at its start`)));
  });
  const endsAt = performance.now() + readyMsMax;
  while (!(await isReady(url))) {
    if (performance.now() > endsAt) throw new Error(`${name} is not ready`);
    await delay(50);
  }
  const pid = child.pid as number;
  return { name, url, cpuSeconds: () => readCpuSeconds(pid), stop: () => stop(child) };
}

async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/readyz`).catch(() => undefined);
  await answer?.text();
  return answer?.status === 200;
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}
