import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { until } from '../platform/client.ts';

/** What `start` may start; a learner is an ingest process that only learns. */
export type ProcessKind = 'assignment' | 'ingest' | 'learner' | 'management';

/** One service as an operator runs it: `node services/<name>/src/main.ts` with its environment. */
export interface ServiceProcess {
  readonly kind: ProcessKind;
  readonly url: string;
  readonly pid: number;
  /** What it logged. */
  readonly output: () => string;
  /** Sends the signal and waits for nothing: SIGSTOP, SIGCONT. */
  signal(signal: NodeJS.Signals): void;
  /** Sends the signal and resolves with the exit code (null when the signal ended it). */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** A busy machine is not a failure. */
const startTimeoutMs = 60_000;
const readyTimeoutMs = 60_000;

const serviceOf: Record<ProcessKind, string> = {
  assignment: 'assignment',
  ingest: 'ingest',
  learner: 'ingest',
  management: 'management',
};
const partsOf: Partial<Record<ProcessKind, string>> = { ingest: 'accept', learner: 'learner' };

/** Resolves once it listens: ready or not. The process dies with the test. */
export async function startProcess(
  t: Test,
  kind: ProcessKind,
  env: Readonly<Record<string, string>>,
): Promise<ServiceProcess> {
  const main = fileURLToPath(new URL(`../../services/${serviceOf[kind]}/src/main.ts`, import.meta.url));
  const parts = partsOf[kind];
  const child = spawn(process.execPath, ['--no-warnings', main], {
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      LOG_LEVEL: 'warn',
      ...(parts === undefined ? {} : { INGEST_PARTS: parts }),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const stop = (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    child.kill(signal);
    return ended;
  };
  // Kills a stopped process too.
  t.teardown(() => stop('SIGKILL').then(() => undefined));
  const url = await waitForUrl(child, ended, () => `${kind}:\n${output}`);
  return {
    kind,
    url,
    pid: child.pid as number,
    output: () => output,
    signal: (signal) => void child.kill(signal),
    stop,
  };
}

/** Resolves once it is ready. @throws with what it said when it is not in time */
export async function waitUntilReady(started: ServiceProcess): Promise<void> {
  const status = await until(
    () => readStatus(started.url, '/readyz'),
    (code) => code === 200,
    readyTimeoutMs,
  );
  if (status !== 200) throw new Error(`${started.kind} is not ready (${status}):\n${started.output()}`);
}

/** @returns 0 when nothing answers */
export async function readStatus(url: string, path: string): Promise<number> {
  try {
    const response = await fetch(url + path, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

async function waitForUrl(
  child: ChildProcess,
  ended: Promise<unknown>,
  output: () => string,
): Promise<string> {
  const listening = new Promise<string>((resolve) => {
    child.on('message', (message) => {
      const { type, url } = message as { type?: string; url?: string };
      if (type === 'listening' && url !== undefined) resolve(url);
    });
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`it does not listen in time, ${output()}`)), startTimeoutMs);
  });
  const died = ended.then(() => {
    throw new Error(`it ended instead of listening, ${output()}`);
  });
  try {
    return await Promise.race([listening, late, died]);
  } finally {
    clearTimeout(timer);
  }
}
