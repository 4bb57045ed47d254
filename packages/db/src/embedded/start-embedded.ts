import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { limits } from '@bandit/contracts';
import type { DatabaseLog } from '../database-log.ts';
import { acquireDataLock, type DataLock } from './data-lock.ts';
import type { WorkerCommand, WorkerInput, WorkerReport } from './worker-messages.ts';

export interface StartEmbeddedOptions {
  /** Made with mode 0700 when missing; holds the cluster, the socket and the lock. */
  readonly dataDir: string;
  /** When this process started, ISO 8601: shown to whoever finds the folder in use. */
  readonly startedAt: string;
  /** The database stopped although nobody closed it: report and exit, its connections are already cut. */
  readonly onExit: (error: Error) => void;
  /** A dumped cluster (tar) that a first start unpacks instead of running initdb. */
  readonly template?: Uint8Array;
  readonly log: DatabaseLog;
}

export interface EmbeddedDatabase {
  /** For openDatabase({ socketDir }). */
  readonly socketDir: string;
  /** Rolls open transactions back, checkpoints and stops. Close the pools first. Safe to call twice. */
  close(): Promise<void>;
}

/** Longest Unix socket path that every platform takes (sun_path is 104 bytes on macOS, 108 on Linux). */
const socketPathBytesMax = 100;
/** The name node-postgres looks for in a folder. */
const socketName = '.s.PGSQL.5432';

/**
 * Postgres in this process: PGlite on a worker thread, spoken to by ordinary connections over a Unix socket that only
 * this user can reach. What was answered survives kill -9 of the process, not a power cut (PGlite does not fsync).
 *
 * @throws DataFolderInUseError when another process uses the folder
 */
export async function startEmbedded(options: StartEmbeddedOptions): Promise<EmbeddedDatabase> {
  const dataDir = resolve(options.dataDir);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const socketDir = await chooseSocketDir(dataDir);
  const isElsewhere = socketDir !== dataDir;
  let lock: DataLock | undefined;
  const cleanUp = async () => {
    if (isElsewhere) await rm(socketDir, { recursive: true, force: true });
    lock?.release();
  };
  try {
    const holder = { pid: process.pid, startedAt: options.startedAt };
    lock = acquireDataLock(dataDir, isElsewhere ? { ...holder, socketDir } : holder);
    await removeLeftovers(lock, socketDir, options.log);
    const { template } = options;
    const input = { clusterDir: join(dataDir, 'pgdata'), socketPath: join(socketDir, socketName) };
    const thread = await startThread(template === undefined ? input : { ...input, template }, options.onExit);
    let closing: Promise<void> | undefined;
    return {
      socketDir,
      close: () => {
        closing ??= thread.stop('close').then(cleanUp, async (error: unknown) => {
          await cleanUp();
          throw error;
        });
        return closing;
      },
    };
  } catch (error) {
    await cleanUp();
    throw error;
  }
}

async function chooseSocketDir(dataDir: string): Promise<string> {
  const fits = Buffer.byteLength(join(dataDir, socketName)) <= socketPathBytesMax;
  // mkdtemp makes it with mode 0700.
  return fits ? dataDir : await mkdtemp(join(tmpdir(), 'bandit-'));
}

/** After a crash: the socket file, and a socket folder elsewhere that only lock.json remembers. */
async function removeLeftovers(lock: DataLock, socketDir: string, log: DatabaseLog): Promise<void> {
  const { previous } = lock;
  await rm(join(socketDir, socketName), { force: true });
  if (previous === undefined) return;
  log.warn({ previous }, 'the process before did not stop in order: recovering its data');
  const stale = previous.socketDir;
  if (stale?.startsWith(join(tmpdir(), 'bandit-'))) await rm(stale, { recursive: true, force: true });
}

export interface EmbeddedThread {
  /** The last report before the thread ended. */
  stop(command: WorkerCommand): Promise<WorkerReport | undefined>;
}

/** Starts the worker and resolves once its socket listens. @throws what the worker reports as failure */
export async function startThread(
  input: WorkerInput,
  onExit: (error: Error) => void,
): Promise<EmbeddedThread> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: input,
    // The flags of this process (--eval, --input-type, a test runner's loader) are not the worker's.
    execArgv: [],
  });
  const ended = Promise.withResolvers<void>();
  const ready = Promise.withResolvers<void>();
  let failure: Error | undefined;
  let kept: WorkerReport | undefined;
  let isReady = false;
  let isStopping = false;

  worker.on('message', (message: WorkerReport) => {
    if (message.kind === 'ready') {
      isReady = true;
      ready.resolve();
    } else if (message.kind === 'failed') failure = new Error(`the embedded database: ${message.message}`);
    else if (message.kind === 'dumped') kept = message;
  });
  worker.on('error', (error) => {
    failure = new Error(`the embedded database: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  });
  worker.on('exit', (code) => {
    const error = failure ?? new Error(`the embedded database stopped by itself, exit code ${code}`);
    ended.resolve();
    ready.reject(error);
    if (isReady && !isStopping) onExit(error);
  });

  await ready.promise;
  return {
    stop: async (command) => {
      isStopping = true;
      worker.postMessage(command);
      const timer = setTimeout(() => {
        failure = new Error(`the embedded database did not stop within ${limits.embeddedCloseTimeoutMs} ms`);
        void worker.terminate();
      }, limits.embeddedCloseTimeoutMs);
      await ended.promise;
      clearTimeout(timer);
      if (failure !== undefined) throw failure;
      return kept;
    },
  };
}
