/**
 * One redis-server process of a test's own: its folder, its log and the process that runs now. Only the handle's own
 * calls change it. Should the test's process die, the kernel kills the server where `setpriv` is there.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isPortFree } from '../find-free-port.ts';
import { waitUntil } from '../wait-until.ts';

const run = promisify(execFile);
/** Generous: a busy machine. */
const readyMsMax = 30_000;
const endMsMax = 10_000;
const callTimeoutMs = 5_000;

/** False where a test cannot start a Redis of its own. */
export function hasRedisServer(): boolean {
  return isInstalled('redis-server') && isInstalled('redis-cli');
}

export interface RedisProcessOptions {
  readonly port: number;
  readonly dir: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly password?: string;
}

export class RedisProcess {
  readonly port: number;
  readonly #dir: string;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #password: string | undefined;
  #child: ChildProcess | undefined;

  constructor({ port, dir, settings, password }: RedisProcessOptions) {
    this.port = port;
    this.#dir = dir;
    this.#settings = settings;
    this.#password = password;
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error(`the Redis of port ${this.port} was not started`);
    return this.#child.pid;
  }

  /** Resolves when it answers PING. */
  async start(): Promise<void> {
    mkdirSync(this.#dir, { recursive: true });
    const log = join(this.#dir, 'server.log');
    const all = { bind: '127.0.0.1', port: String(this.port), dir: this.#dir, ...this.#settings };
    const server = ['redis-server'];
    for (const [name, value] of Object.entries(all)) server.push(`--${name}`, value);
    const prefix = isInstalled('setpriv') ? ['setpriv', '--pdeathsig=SIGKILL'] : [];
    const [command, ...args] = [...prefix, ...server];
    const output = openSync(log, 'a');
    // A pipe would end with the test's process; a file goes on taking the last lines.
    const child = spawn(command!, args, { cwd: this.#dir, stdio: ['ignore', output, output] });
    this.#child = child;
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    closeSync(output);
    const answers = async () => {
      if (hasEnded(child)) throw new Error('the server has ended');
      // By its process id: another server may hold the port.
      const info = await this.call('INFO', 'server').catch(() => '');
      return info.includes(`process_id:${child.pid}\r\n`) && (await this.call('PING')) === 'PONG';
    };
    await waitUntil(answers, readyMsMax, 'Redis does not answer').catch(async (error: unknown) => {
      await this.kill('SIGKILL');
      const lines = readFileSync(log, 'utf8').split('\n').slice(-20).join('\n');
      throw new Error(`Redis did not start on port ${this.port}: ${lines}`, { cause: error });
    });
  }

  /** The reply of one command, as redis-cli prints it. @throws when it does not answer */
  async call(...command: readonly string[]): Promise<string> {
    const auth = this.#password === undefined ? {} : { REDISCLI_AUTH: this.#password };
    const { stdout } = await run('redis-cli', ['-h', '127.0.0.1', '-p', String(this.port), ...command], {
      timeout: callTimeoutMs,
      env: { ...process.env, ...auth },
    });
    return stdout.trim();
  }

  /** Sends the signal; after one that ends a process it resolves when the process has ended. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || hasEnded(child)) return;
    child.kill(signal);
    if (!['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT'].includes(signal)) return;
    // A stopped process takes no other signal but SIGKILL before it goes on.
    child.kill('SIGCONT');
    await waitUntil(() => hasEnded(child), endMsMax, 'Redis does not end').catch(async () => {
      child.kill('SIGKILL');
      await waitUntil(() => hasEnded(child), endMsMax, 'Redis does not end even by SIGKILL');
    });
  }

  /** Ends what runs and starts again on the same port, on the same data or on none. */
  async restart({ empty = false }: { empty?: boolean } = {}): Promise<void> {
    await this.kill('SIGTERM');
    if (empty) rmSync(this.#dir, { recursive: true, force: true });
    await waitUntil(() => isPortFree(this.port), endMsMax, `port ${this.port} stays taken`);
    await this.start();
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function isInstalled(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}
