import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createTestDatabase } from '@bandit/db/testing';
import type { Test } from 'tap';
import { cleanStores } from './clean-stores.ts';

const main = fileURLToPath(new URL('../../infra/fleet/boot.js', import.meta.url));
/** A busy machine is not a failure. */
const startTimeoutMs = 180_000;
const jwtSecret = 'a secret of the sessions in these tests and long enough';

export const natsUrl = process.env.TEST_NATS_URL ?? 'nats://127.0.0.1:4222';
export const redisUrl = process.env.TEST_REDIS_URL ?? 'redis://127.0.0.1:6379';

/** `fleet` as an operator runs it, on a database of its own. */
export interface RunningFleet {
  readonly url: string;
  readonly apiKey: string;
  readonly databaseUrl: string;
  /** Headers of the first company's admin. */
  readonly session: Readonly<Record<string, string>>;
  /** Of the supervisor itself. */
  readonly pid: number;
  /** The process that was last ready in each place, by name. */
  readonly pids: () => Record<string, number>;
  /** Everything it printed: log lines and messages. */
  readonly output: () => string;
  /** Sends the signal to the supervisor and resolves with its exit code (null when the signal ended it). */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface FleetTestOptions {
  /** Over what every test fleet has; `ASSIGNMENT_INSTANCES: '1'` for fewer processes, other stores' URLs … */
  readonly env?: Readonly<Record<string, string>>;
  /** Instead of a fresh clone of the migrated template. */
  readonly databaseUrl?: string;
}

/** Resolves once the gateway is ready. Fleet, processes and database are gone with the test. */
export async function startFleet(t: Test, options: FleetTestOptions = {}): Promise<RunningFleet> {
  const databaseUrl = options.databaseUrl ?? (await makeDatabase(t));
  const env: Record<string, string> = {
    PORT: '0',
    DATABASE_URL: databaseUrl,
    NATS_URL: natsUrl,
    NATS_PREFIX: `test-${randomBytes(6).toString('hex')}`,
    REDIS_URL: redisUrl,
    ASSIGNMENT_SECRET: 'a secret of the assignment ids in these tests and long enough',
    JWT_SECRET: jwtSecret,
    ASSIGNMENT_INSTANCES: '2',
    INGEST_INSTANCES: '2',
    LEARNER_INSTANCES: '2',
    MANAGEMENT_INSTANCES: '2',
    ...options.env,
  };
  const child = spawn(process.execPath, ['--no-warnings', main], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let hasStarted = false;
  const { pids, output } = follow(child);
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const stop = (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    child.kill(signal);
    return ended;
  };
  t.teardown(async () => {
    // Killed, it leaves its processes to end by themselves: a test that fails must not leave them.
    const left = Object.values(pids());
    await stop('SIGKILL');
    for (const pid of left) endNow(pid);
    const folder = /"socket":"([^"]*bandit-fleet-[^/"]*)\//.exec(output())?.[1];
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    // What never ran left nothing, and stores of the caller's own go with the caller.
    if (hasStarted && env.NATS_URL === natsUrl && env.REDIS_URL === redisUrl) {
      await cleanStores({ databaseUrl, natsUrl, natsPrefix: env.NATS_PREFIX ?? '', redisUrl });
    }
  });
  const url = await waitForUrl(child, ended, output);
  hasStarted = true;
  return {
    url,
    apiKey: /API key {2}(\S+)/.exec(output())?.[1] ?? '',
    databaseUrl,
    session: { authorization: `Bearer ${signSession('admin@example.com')}` },
    pid: child.pid as number,
    pids,
    output,
    stop,
  };
}

/** Why a store that every fleet needs does not answer; undefined when all do. */
export async function whyNoStores(): Promise<string | undefined> {
  const postgresUrl = process.env.TEST_DATABASE_URL ?? 'postgres://127.0.0.1:5432';
  const reasons = await Promise.all([postgresUrl, natsUrl, redisUrl].map(whyUnreachable));
  const missing = reasons.filter((reason) => reason !== undefined);
  return missing.length === 0 ? undefined : missing.join('; ');
}

function whyUnreachable(url: string): Promise<string | undefined> {
  const { hostname, port, protocol } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.on('error', (error) => resolve(`${protocol} ${error.message}`));
  });
}

/** What an internal tool signs for itself. */
export function signSession(email: string): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { email, exp: Math.floor(Date.now() / 1000) + 7_200 };
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${text}.${createHmac('sha256', jwtSecret).update(text).digest('base64url')}`;
}

async function makeDatabase(t: Test): Promise<string> {
  const { target } = await createTestDatabase(t, { kind: 'postgres', max: 1 });
  if (!('connectionString' in target)) throw new Error('a fleet needs a real Postgres');
  return target.connectionString;
}

/** Reads the merged log: a process that got ready fills its place. */
function follow(child: ChildProcess): { pids: () => Record<string, number>; output: () => string } {
  const pids = new Map<string, number>();
  let output = '';
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const { process: from, state, name, pid } = JSON.parse(line);
      if (from === 'fleet' && state === 'ready') pids.set(name, pid);
    }
  });
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  return { pids: () => Object.fromEntries(pids), output: () => output };
}

async function waitForUrl(
  child: ChildProcess,
  ended: Promise<unknown>,
  output: () => string,
): Promise<string> {
  const ready = new Promise<string>((resolve) => {
    child.stderr?.on('data', () => {
      // The announcement ends with an empty line: what it says of the first start is whole.
      const match = /is ready on (http:\S+)[\s\S]*\n\n/.exec(output());
      if (match !== null) resolve(match[1] as string);
    });
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not ready in time:\n${output()}`)), startTimeoutMs);
  });
  const died = ended.then(() => {
    throw new Error(`it ended instead of starting:\n${output()}`);
  });
  try {
    return await Promise.race([ready, late, died]);
  } finally {
    clearTimeout(timer);
  }
}

function endNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
