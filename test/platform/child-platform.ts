import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

const main = fileURLToPath(new URL('../../infra/local/boot.js', import.meta.url));
const startTimeoutMs = 90_000;

/** `start` as a user runs it: a process of its own on a folder of its own. */
export interface ChildPlatform {
  readonly url: string;
  /** Printed by the first start on the folder; later starts repeat nothing. */
  readonly apiKey: string | undefined;
  readonly messages: () => string;
  readonly hasEnded: () => boolean;
  /** Sends the signal and resolves with the exit code (null when the signal ended it). */
  stop(signal: NodeJS.Signals): Promise<number | null>;
}

export async function makeDataDir(t: Test): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'bandit-test-'));
  t.teardown(() => rm(dataDir, { recursive: true, force: true }));
  return dataDir;
}

/** Resolves once it is ready; the child dies with the test. */
export async function startChild(
  t: Test,
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ChildPlatform> {
  const child = spawn(process.execPath, ['--no-warnings', main], {
    env: { PATH: process.env.PATH, DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  t.teardown(() => {
    child.kill('SIGKILL');
    return ended;
  });
  const url = await waitForUrl(child, ended, () => text);
  return {
    url,
    apiKey: /API key {2}(\S+)/.exec(text)?.[1],
    messages: () => text,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    stop: (signal) => {
      child.kill(signal);
      return ended;
    },
  };
}

async function waitForUrl(child: ChildProcess, ended: Promise<unknown>, text: () => string): Promise<string> {
  const ready = new Promise<string>((resolve) => {
    child.stderr?.on('data', () => {
      // The announcement ends with an empty line: what it says of the first start is whole.
      const match = /is ready on (http:\S+)[\s\S]*\n\n$/.exec(text());
      if (match !== null) resolve(match[1] as string);
    });
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not ready in time:\n${text()}`)), startTimeoutMs);
  });
  const died = ended.then(() => {
    throw new Error(`it ended instead of starting:\n${text()}`);
  });
  try {
    return await Promise.race([ready, late, died]);
  } finally {
    clearTimeout(timer);
  }
}
