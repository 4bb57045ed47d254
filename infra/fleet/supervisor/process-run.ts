import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { limits } from '@bandit/contracts';
import type { Logger } from 'pino';
import type { Instance, InstanceTable, ServiceName } from '../instance-table.ts';
import { followReadiness } from './follow-readiness.ts';
import { labelLine, readLines } from './log-lines.ts';

/** A process that the fleet means to have. */
export interface ProcessPlan {
  readonly name: string;
  readonly service: ServiceName;
  /** Arguments of Node: the program and what goes before it. */
  readonly args: readonly string[];
  /** Its whole environment but the socket. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface RunDeps {
  readonly table: Pick<InstanceTable, 'add' | 'listen' | 'remove'>;
  readonly log: Logger;
  /** A line of the merged log, without its end. */
  readonly writeLine: (line: string) => void;
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It could not be started at all. */
  readonly error?: Error;
}

/** One life of one process. */
export interface Run {
  readonly instance: Instance;
  readonly pid: number | undefined;
  readonly startedAtMs: number;
  /** True once it was ready; false when it ended before. */
  readonly ready: Promise<boolean>;
  readonly ended: Promise<Ending>;
  /** Takes it out of the table's choice, lets it finish, asks it to end, ends it. Safe to call twice. */
  stop(): Promise<Ending>;
  /** Ends it now. */
  kill(): void;
}

const drainLookMs = 10;

/**
 * Starts a process on a socket of its own. It has a group of its own, so that Ctrl-C at the terminal reaches the supervisor
 * alone, and a channel to the supervisor, whose end tells it that the supervisor is gone.
 */
export function startRun(plan: ProcessPlan, socketPath: string, deps: RunDeps): Run {
  const { table, log, monotonicMs } = deps;
  const instance = table.add(plan.name, plan.service);
  const child = spawn(process.execPath, plan.args, {
    env: { ...plan.env, LISTEN_SOCKET: socketPath },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
  });
  mergeLog(plan.name, child, deps);
  const over = new AbortController();
  const ended = watchEnd(child).then((ending) => {
    over.abort();
    table.remove(instance);
    return ending;
  });
  const ready = new Promise<boolean>((resolve) => {
    child.on('message', (message) => {
      if (!isListening(message) || instance.pool !== undefined || over.signal.aborted) return;
      table.listen(instance, socketPath);
      void followReadiness(instance, socketPath, over.signal, (state) => {
        if (state === 'ready') resolve(true);
        const level = state === 'ready' ? 'info' : 'warn';
        log[level]({ name: plan.name, pid: child.pid, state }, 'the state of a process changed');
      });
    });
    void ended.then(() => resolve(false));
  });
  let stopping: Promise<Ending> | undefined;
  return {
    instance,
    pid: child.pid,
    startedAtMs: monotonicMs(),
    ready,
    ended,
    stop: () => {
      stopping ??= stopRun(child, instance, ended, deps);
      return stopping;
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

async function stopRun(
  child: ChildProcess,
  instance: Instance,
  ended: Promise<Ending>,
  { log, monotonicMs }: RunDeps,
): Promise<Ending> {
  if (instance.state !== 'stopped') instance.state = 'draining';
  const drainUntilMs = monotonicMs() + limits.instanceDrainTimeoutMs;
  while (instance.nInFlight > 0 && instance.state === 'draining' && monotonicMs() < drainUntilMs) {
    await wait(drainLookMs);
  }
  child.kill('SIGTERM');
  const timer = setTimeout(() => {
    log.error({ name: instance.name, pid: child.pid }, 'a process did not end in time and is killed');
    child.kill('SIGKILL');
  }, limits.instanceStopTimeoutMs);
  const ending = await ended;
  clearTimeout(timer);
  if (ending.code !== 0) {
    const { code, signal } = ending;
    log.warn({ name: instance.name, pid: child.pid, code, signal }, 'a process did not stop in order');
  }
  return ending;
}

function mergeLog(name: string, child: ChildProcess, { writeLine, nowMs }: RunDeps): void {
  for (const stream of ['stdout', 'stderr'] as const) {
    const source = child[stream];
    if (source !== null) readLines(source, (line) => writeLine(labelLine(name, line, stream, nowMs())));
  }
}

function watchEnd(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve({ code, signal }));
    // Without a pid it never ran, and there is no exit to wait for. Else a signal or a message could not be delivered.
    child.on('error', (error) => {
      if (child.pid === undefined) resolve({ code: null, signal: null, error });
    });
  });
}

function isListening(message: unknown): boolean {
  return (
    typeof message === 'object' && message !== null && (message as { type?: unknown }).type === 'listening'
  );
}
