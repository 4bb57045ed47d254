/**
 * The single process: assignment, ingest, learner and management on one port, on any mix of embedded and real stores. The
 * same services run as processes of their own; what differs is only what is passed in.
 *
 * Owns the embedded database, the lock that keeps a second process off a database without a shared bus, and the process
 * itself, which stops in order. A kill -9 at any point loses nothing that was answered.
 */
import { randomBytes } from 'node:crypto';
import type { Config } from '@bandit/config';
import { assignmentSecretOf, type OpenedProcess, openProcess, prepareDatabase } from '@bandit/process';
import type { Logger } from 'pino';
import { type FirstRun, makeFirstCompany } from './first-run.ts';
import { openServices } from './open-services.ts';
import { openTarget } from './open-target.ts';
import { loadLocalSecrets } from './secrets.ts';
import { createSingleProcessLock, type SingleProcessLock } from './single-process-lock.ts';

export interface StartOptions {
  readonly config: Config;
  readonly version: string;
  readonly log: Logger;
  /** Milliseconds of a monotonic clock, and of the machine's clock for the first guess of database time. */
  readonly monotonicMs: () => number;
  readonly machineMs: () => number;
  /** Uniform on [0, 1). */
  readonly rng: () => number;
  /** The embedded database stopped by itself: the process must end. */
  readonly onLost: (error: Error) => void;
  /** There is something to close from now on, while the start may still wait for Postgres. */
  readonly onOpened?: (close: () => Promise<string[]>) => void;
}

export interface Platform {
  /** Where it listens; the path of a Unix socket where LISTEN_SOCKET is set. */
  readonly url: string;
  /** The first company, when this start made it. */
  readonly firstRun: FirstRun | undefined;
  /** @returns the names of parts that did not stop in order */
  close(): Promise<string[]>;
}

/**
 * Opens the stores, listens and starts the services; until then the routes answer 503. A Postgres that is away is waited for.
 *
 * @throws with everything it had opened closed again
 */
export async function startPlatform(options: StartOptions): Promise<Platform> {
  const closers: (() => Promise<unknown>)[] = [];
  let opened: OpenedProcess | undefined;
  const closeAll = async (): Promise<string[]> => {
    const failed = (await opened?.close()) ?? [];
    for (const closeOne of closers.reverse()) await closeOne();
    return failed;
  };
  let closing: Promise<string[]> | undefined;
  const close = (): Promise<string[]> => {
    closing ??= closeAll();
    return closing;
  };
  try {
    const { config, machineMs, log, onLost } = options;
    const generated = config.databaseUrl === undefined ? await loadLocalSecrets(config.dataDir) : undefined;
    const startedAt = new Date(machineMs()).toISOString();
    const { target, close: closeTarget } = await openTarget({ ...config, startedAt, log, onLost });
    closers.push(closeTarget);
    const lock = lockAlone(config, log);
    if (lock !== undefined) closers.push(lock.close);
    const secret = assignmentSecretOf(config, generated);
    // Nobody else can bring the embedded database up to date.
    const isPreparedHere = config.databaseUrl === undefined || config.isMigratedAtStart;
    const prepare = async (): Promise<void> => {
      await lock?.take();
      if (isPreparedHere) await prepareDatabase({ target, secret, randomBytes, log });
    };
    opened = await openProcess({ ...options, service: 'platform', target, generated, prepare });
    options.onOpened?.(close);
    return { ...(await run(opened, options, lock?.isHeld)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function run(
  opened: OpenedProcess,
  { config }: StartOptions,
  isAlone: (() => boolean) | undefined,
): Promise<Omit<Platform, 'close'>> {
  const { context } = opened;
  if (isAlone !== undefined) context.checks['single process'] = isAlone;
  const management = await openServices(context);
  const address = await opened.listen();
  await opened.start();
  const firstRun = await makeFirstCompany(management.db, management, config.bootstrapAdminEmail);
  if (firstRun !== undefined) await context.directory.poll();
  return { url: 'url' in address ? address.url : address.socket, firstRun };
}

/** Processes without a shared bus would not hear of each other's states and changes. */
function lockAlone({ databaseUrl, natsUrl }: Config, log: Logger): SingleProcessLock | undefined {
  return databaseUrl === undefined || natsUrl !== undefined
    ? undefined
    : createSingleProcessLock(databaseUrl, log);
}
