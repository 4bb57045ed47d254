/**
 * What the fleet's gateway costs: a route of the size of an assignment asked through it, and directly at the process behind
 * it (over its Unix socket). Three processes: load (autocannon), gateway, service.
 *
 *   node bench/gateway.ts [--connections 64] [--seconds 5] [--rounds 3]
 *
 * Prints the medians over the rounds: requests a second, p50 and p99 in milliseconds. The two take turns within a round,
 * so that a busy machine slows both.
 */
import { execFile, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { createHttpServer } from '@bandit/http';
import { Registry } from 'prom-client';
import { createGateway } from '../infra/fleet/gateway/create-gateway.ts';
import { createInstanceTable } from '../infra/fleet/instance-table.ts';

const run = promisify(execFile);
const program = fileURLToPath(import.meta.url);
const cannon = fileURLToPath(new URL('../node_modules/autocannon/autocannon.js', import.meta.url));
const body = JSON.stringify({ experimentId: 'exp_AQEBAQEBAQEBAQEBAQEBAQ', userId: 'user_4711' });
const answer = {
  success: true,
  data: {
    assignmentId: `asgn_${'a'.repeat(220)}`,
    experimentId: 'exp_AQEBAQEBAQEBAQEBAQEBAQ',
    treatment: { id: 'trt_AQEBAQEBAQEBAQEBAQEBAQ', name: 'B', config: { content: 'Start today' } },
    confidence: 0.87,
  },
  timestamp: '2026-01-15T10:30:00.000Z',
};

const shared = {
  version: '0',
  nowMs: () => Date.now(),
  registry: new Registry(),
  makeRequestId: randomUUID,
};

async function serve(socketPath: string): Promise<void> {
  const app = await createHttpServer({ ...shared, service: 'bench', logger: false });
  const schema = { operationId: 'assign', body: { type: 'object' } };
  app.post('/assignments', { schema }, () => answer);
  await app.listen({ path: socketPath });
  process.send?.('listening');
}

async function passOn(socketPath: string): Promise<void> {
  const table = createInstanceTable();
  const instance = table.add('assignment-1', 'assignment');
  table.listen(instance, socketPath);
  instance.state = 'ready';
  const app = await createGateway({
    ...shared,
    table,
    log: false,
    monotonicMs: () => performance.now(),
    isProduction: true,
    trustedProxies: undefined,
    rateLimitPerPeer: 0,
    corsOrigins: [],
    isDraining: () => false,
  });
  process.send?.(await app.listen({ host: '127.0.0.1', port: 0 }));
}

interface Measured {
  readonly requests: { readonly average: number };
  readonly latency: { readonly p50: number; readonly p99: number };
  readonly non2xx: number;
  readonly errors: number;
}

async function measure(): Promise<void> {
  const { values } = parseArgs({
    options: {
      connections: { type: 'string', default: '64' },
      seconds: { type: 'string', default: '5' },
      rounds: { type: 'string', default: '3' },
    },
  });
  const folder = mkdtempSync(join(tmpdir(), 'bandit-bench-'));
  const socketPath = join(folder, 'service.sock');
  const service = await start('serve', socketPath);
  const gateway = await start('pass-on', socketPath);
  const load = ['-c', values.connections, '-d', values.seconds, '-m', 'POST', '-b', body, '--json'];
  const common = [...load, '-H', 'content-type=application/json'];
  const ways = {
    direct: [...common, '-S', socketPath, 'http://localhost/assignments'],
    gateway: [...common, `${gateway.message}/assignments`],
  };
  const measured: Record<string, Measured[]> = { direct: [], gateway: [] };
  try {
    for (let round = 0; round < Number(values.rounds); round += 1) {
      for (const [way, args] of Object.entries(ways)) {
        const { stdout } = await run(process.execPath, [cannon, ...args]);
        const result = JSON.parse(stdout) as Measured;
        if (result.non2xx + result.errors > 0) throw new Error(`${way}: not every answer was a 200`);
        measured[way]?.push(result);
      }
    }
  } finally {
    service.child.kill('SIGKILL');
    gateway.child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
  for (const [way, results] of Object.entries(measured)) {
    const rate = median(results.map(({ requests }) => requests.average));
    const p50 = median(results.map(({ latency }) => latency.p50));
    const p99 = median(results.map(({ latency }) => latency.p99));
    console.log(`${way.padEnd(8)} ${rate.toFixed(0)} requests/s, p50 ${p50} ms, p99 ${p99} ms`);
  }
}

async function start(role: string, socketPath: string) {
  const child = fork(program, [role, socketPath], { execArgv: ['--no-warnings'] });
  const message = await new Promise<string>((resolve) => child.once('message', resolve as never));
  return { child, message };
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

const [role, path = ''] = process.argv.slice(2);
if (role === 'serve') await serve(path);
else if (role === 'pass-on') await passOn(path);
else await measure();
