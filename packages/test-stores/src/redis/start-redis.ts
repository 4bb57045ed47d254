import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../find-free-port.ts';
import { RedisProcess } from './redis-process.ts';

export interface RedisOptions {
  /** Keep an append-only file, flushed every second. Default: false. */
  readonly appendonly?: boolean;
  /** Default: a free one. */
  readonly port?: number;
  /** Kept at `stop`. Default: a new one, removed at `stop`. */
  readonly dir?: string;
  /** Required of every client. Default: none. */
  readonly password?: string;
}

export interface RedisServer {
  /** Without the password. */
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  /** Of the process that runs now. */
  readonly pid: number;
  /** The reply of one command, as redis-cli prints it. */
  call(...command: readonly string[]): Promise<string>;
  /** Resolves at once (SIGSTOP, SIGCONT), or when an ending signal has ended it. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Ends what runs and starts it again on its port, on the same data or on none. Resolves when it answers. */
  restart(options?: { readonly empty?: boolean }): Promise<void>;
  /** Ends it for good. */
  stop(): Promise<void>;
}

/** A Redis server of a test's own. @throws when none is installed (ask `hasRedisServer` before) or it does not start */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const { appendonly = false, password } = options;
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'bandit-redis-'));
  const port = options.port ?? (await findFreePort());
  const settings = {
    save: '',
    appendonly: appendonly ? 'yes' : 'no',
    appendfsync: 'everysec',
    ...(password === undefined ? {} : { requirepass: password }),
  };
  const server = new RedisProcess({ port, dir, settings, ...(password === undefined ? {} : { password }) });
  const stop = async () => {
    await server.kill('SIGKILL');
    if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
  };
  await server.start().catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    dir,
    get pid() {
      return server.pid;
    },
    call: (...command) => server.call(...command),
    kill: (signal) => server.kill(signal),
    restart: (how) => server.restart(how),
    stop,
  };
}
