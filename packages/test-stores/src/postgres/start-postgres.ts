/**
 * A Postgres server of a test's own: data, socket and log in one folder, so that the test may kill, stop and restart it.
 * It holds the process id of the server that runs now; only the handle's own calls change it, one after the other. Should
 * the test's process die, the server gets SIGQUIT from the kernel where `setpriv` is there, and ends at once.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { findFreePort, isPortFree } from '../find-free-port.ts';
import { waitUntil } from '../wait-until.ts';
import { findPostgresServer, type PostgresUser, whoRunsPostgres } from './find-postgres-server.ts';
import { childrenOf, isRunning, sendSignal } from './process-tree.ts';

const run = promisify(execFile);
/** Generous: initdb and a recovery on a busy machine. */
const readyMsMax = 60_000;
const endMsMax = 30_000;
/** Of the address of a Unix socket. */
const socketPathMax = 100;

export interface PostgresOptions {
  /** Kept at `stop`, and taken up again when it holds a data folder. Default: a new one, removed at `stop`. */
  readonly dir?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Further settings, such as { max_connections: '20' }. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface PostgresServer {
  /** Superuser `postgres` over 127.0.0.1, without a password. */
  readonly connectionString: string;
  readonly dir: string;
  readonly port: number;
  /** Of the postmaster that runs now. */
  readonly pid: number;
  /**
   * Sends the signal to the server and all its processes, so that SIGSTOP hangs every session and SIGKILL leaves none to
   * finish its work. Resolves when an ending signal has ended all of them.
   */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Ends what runs, unless it is dead already, and starts again on the same data and port. Resolves when it answers. */
  restart(): Promise<void>;
  /** Ends it for good and removes the folder, unless the caller gave it. */
  stop(): Promise<void>;
}

/** @throws when no server is installed (ask `hasPostgresServer` before), or when it does not start: with its log */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const bin = findPostgresServer();
  const user = whoRunsPostgres();
  if (bin === undefined || user === undefined)
    throw new Error('no Postgres server is installed here, or no user postgres to run it as');
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'bandit-postgres-'));
  const files = { bin, user, dir, data: join(dir, 'data'), log: join(dir, 'server.log') };
  const port = options.port ?? (await findFreePort());
  try {
    await makeData(files);
    return await openHandle(files, port, options);
  } catch (error) {
    if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

interface ServerFiles {
  readonly bin: string;
  readonly user: PostgresUser;
  readonly dir: string;
  readonly data: string;
  readonly log: string;
}

async function makeData({ bin, user, dir, data }: ServerFiles): Promise<void> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  if (user.prefix.length > 0) chownSync(dir, user.uid, user.gid);
  if (existsSync(join(data, 'PG_VERSION'))) return;
  const initdb = [join(bin, 'initdb'), '-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '-N'];
  const [command, ...args] = [...user.prefix, ...initdb, '--locale=C'];
  await run(command!, args, { cwd: dir, timeout: readyMsMax });
}

async function openHandle(
  files: ServerFiles,
  port: number,
  { dir, settings = {} }: PostgresOptions,
): Promise<PostgresServer> {
  const connectionString = `postgres://postgres@127.0.0.1:${port}/postgres`;
  let server = await startServer(files, port, connectionString, settings);
  const end = async (signal: NodeJS.Signals) => {
    await endAll(server, signal);
    await waitUntil(() => isPortFree(port), endMsMax, `port ${port} stays taken after the end of Postgres`);
  };
  return {
    connectionString,
    dir: files.dir,
    port,
    get pid() {
      return server.pid!;
    },
    kill: async (signal) => {
      if (['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGABRT'].includes(signal)) return end(signal);
      for (const pid of [server.pid!, ...childrenOf(server.pid!)]) sendSignal(pid, signal);
    },
    restart: async () => {
      await end('SIGINT');
      server = await startServer(files, port, connectionString, settings);
    },
    stop: async () => {
      await end('SIGQUIT');
      if (dir === undefined) rmSync(files.dir, { recursive: true, force: true });
    },
  };
}

async function startServer(
  files: ServerFiles,
  port: number,
  connectionString: string,
  settings: Readonly<Record<string, string>>,
): Promise<ChildProcess> {
  const { bin, user, dir, data, log } = files;
  const socketDir = dir.length + '/.s.PGSQL.65535'.length <= socketPathMax ? dir : '';
  const all = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: socketDir,
    fsync: 'on',
    max_connections: '200',
    ...settings,
  };
  const postgres = [join(bin, 'postgres'), '-D', data];
  for (const [name, value] of Object.entries(all)) postgres.push('-c', `${name}=${value}`);
  const prefix = user.prefix.length > 0 ? [...user.prefix, '--pdeathsig=SIGQUIT'] : [];
  const [command, ...args] = [...prefix, ...postgres];
  const output = openSync(log, 'a');
  // A pipe would end with the test's process; a file goes on taking the last lines.
  const server = spawn(command!, args, { cwd: dir, stdio: ['ignore', output, output] });
  await new Promise<void>((resolve, reject) => server.once('spawn', resolve).once('error', reject));
  closeSync(output);
  await waitUntil(() => answers(connectionString, server), readyMsMax, 'Postgres does not answer').catch(
    async (error: unknown) => {
      await endAll(server, 'SIGKILL');
      const lines = readFileSync(log, 'utf8').split('\n').slice(-20).join('\n');
      throw new Error(`Postgres did not start on port ${port}: ${lines}`, { cause: error });
    },
  );
  return server;
}

async function answers(connectionString: string, server: ChildProcess): Promise<boolean> {
  if (hasEnded(server)) throw new Error('the server has ended');
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The postmaster first: it would start new processes for those that end. */
async function endAll(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const pids = hasEnded(server) ? [] : [server.pid!, ...childrenOf(server.pid!)];
  // A stopped process takes no other signal but SIGKILL.
  for (const pid of pids) if (signal !== 'SIGKILL') sendSignal(pid, 'SIGCONT');
  for (const pid of signal === 'SIGKILL' ? pids : pids.slice(0, 1)) sendSignal(pid, signal);
  const areGone = () => Promise.resolve(!pids.some(isRunning));
  await waitUntil(areGone, endMsMax, 'Postgres does not end').catch(async () => {
    for (const pid of pids) sendSignal(pid, 'SIGKILL');
    await waitUntil(areGone, endMsMax, 'Postgres does not end even by SIGKILL');
  });
}

function hasEnded(server: ChildProcess): boolean {
  return server.exitCode !== null || server.signalCode !== null;
}
