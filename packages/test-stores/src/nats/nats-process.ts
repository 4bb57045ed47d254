import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { waitUntil } from '../wait-until.ts';

/** Generous: a start on a busy machine. */
const readyMsMax = 30_000;
const endMsMax = 20_000;
const probeMsMax = 2_000;
/**
 * The server and its JetStream alone: nats-server 2.9 calls an idle consumer of three replicas "not current" for as long as
 * nobody uses it, about once in forty restarts. Whether streams have caught up is for who uses them to look.
 */
export const healthPath = 'healthz?js-server-only=true';

/** Starts the server; its output goes to `log`. Should the test's process die, the kernel ends the server too. */
export async function spawnNats(binary: string, config: string, log: string): Promise<ChildProcess> {
  const command = [...dieWithParent(), binary, '-c', config];
  const output = openSync(log, 'a');
  // A pipe would end with the test's process; a file goes on taking the last lines.
  const server = spawn(command[0]!, command.slice(1), { stdio: ['ignore', output, output] });
  await new Promise<void>((resolve, reject) => server.once('spawn', resolve).once('error', reject));
  closeSync(output);
  return server;
}

/** Resolves when the server and its JetStream answer. @param monitorPort its HTTP port */
export async function waitUntilHealthy(
  server: ChildProcess,
  monitorPort: number,
  log: string,
): Promise<void> {
  const isHealthy = async () => {
    if (hasEnded(server)) throw new Error('the server has ended');
    return (await readMonitor(monitorPort, healthPath)) !== undefined;
  };
  await waitUntil(isHealthy, readyMsMax, 'NATS does not answer').catch(async (error: unknown) => {
    await endNats(server, 'SIGKILL');
    const lines = readFileSync(log, 'utf8').split('\n').slice(-20).join('\n');
    throw new Error(`nats-server did not start: ${lines}`, { cause: error });
  });
}

/** An answer of the server's HTTP monitor, undefined while there is none. */
export async function readMonitor(monitorPort: number, path: string): Promise<unknown> {
  try {
    const signal = AbortSignal.timeout(probeMsMax);
    const answer = await fetch(`http://127.0.0.1:${monitorPort}/${path}`, { signal });
    const body: unknown = await answer.json();
    return answer.ok ? body : undefined;
  } catch {
    return undefined;
  }
}

/** Resolves when the kernel has stopped it: a signal takes a moment. */
export async function hangNats(server: ChildProcess): Promise<void> {
  server.kill('SIGSTOP');
  // The state stands behind the name, which is in brackets.
  const isStopped = () => /\) T /.test(readFileSync(`/proc/${server.pid}/stat`, 'utf8'));
  await waitUntil(isStopped, endMsMax, 'NATS does not stop');
}

/** Resolves when the process is gone. A stopped one is woken first: it takes no other signal but SIGKILL. */
export async function endNats(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(server)) return;
  if (signal !== 'SIGKILL') server.kill('SIGCONT');
  server.kill(signal);
  const isGone = () => hasEnded(server);
  await waitUntil(isGone, endMsMax, 'NATS does not end').catch(async () => {
    server.kill('SIGKILL');
    await waitUntil(isGone, endMsMax, 'NATS does not end even by SIGKILL');
  });
}

function hasEnded(server: ChildProcess): boolean {
  return server.exitCode !== null || server.signalCode !== null;
}

function dieWithParent(): string[] {
  try {
    execFileSync('setpriv', ['--pdeathsig=SIGKILL', 'true'], { stdio: 'ignore' });
    return ['setpriv', '--pdeathsig=SIGKILL'];
  } catch {
    return [];
  }
}
