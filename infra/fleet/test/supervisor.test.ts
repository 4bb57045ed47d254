import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { Agent, request as httpRequest } from 'node:http';
import { fileURLToPath } from 'node:url';
import { limits } from '@bandit/contracts';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { nextBackoffMs } from '../supervisor/backoff.ts';
import { createSupervisor, type Supervisor } from '../supervisor/create-supervisor.ts';
import { labelLine } from '../supervisor/log-lines.ts';
import type { ProcessPlan } from '../supervisor/process-run.ts';
import { type OpenGateway, openGateway, until } from './open-gateway.ts';
import { standInPlans } from './stand-in-plans.ts';

t.setTimeout(180_000);

const startTimeoutMs = 60_000;

interface OpenFleet {
  readonly gateway: OpenGateway;
  readonly supervisor: Supervisor;
  readonly lines: string[];
  readonly allReady: () => Promise<boolean>;
}

async function openFleet(t: Test, plans: readonly ProcessPlan[]): Promise<OpenFleet> {
  const gateway = await openGateway(t);
  const lines: string[] = [];
  const writeLine = (line: string): void => void lines.push(line);
  const supervisor = createSupervisor({
    plans,
    table: gateway.table,
    folder: gateway.folder,
    log: pino({ base: { process: 'fleet' } }, { write: (line: string) => writeLine(line.trimEnd()) }),
    writeLine,
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
  });
  t.teardown(() => supervisor.kill());
  supervisor.start();
  const allReady = (): Promise<boolean> =>
    until(() => Object.values(gateway.table.states()).every((state) => state === 'ready'), startTimeoutMs);
  return { gateway, supervisor, lines, allReady };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Asks again and again over kept connections, without repeating anything, until told to stop. */
function load(url: string, nClients: number): { stop(): Promise<Map<number | string, number>> } {
  const agent = new Agent({ keepAlive: true, maxSockets: nClients });
  const outcomes = new Map<number | string, number>();
  let isStopped = false;
  const ask = (): Promise<number | string> =>
    new Promise((resolve) => {
      const request = httpRequest(`${url}/assignments`, { method: 'POST', agent }, (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode ?? 0));
        answer.on('error', (error) => resolve(error.message));
      });
      request.on('error', (error) => resolve(error.message));
      request.end('{}');
    });
  const clients = Array.from({ length: nClients }, async () => {
    while (!isStopped) {
      const outcome = await ask();
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  });
  return {
    stop: async () => {
      isStopped = true;
      await Promise.all(clients);
      agent.destroy();
      return outcomes;
    },
  };
}

t.test('the wait before a start doubles up to a bound and begins anew after a steady life', (t) => {
  const waits: number[] = [];
  for (let i = 0; i < 8; i += 1) waits.push(nextBackoffMs(waits.at(-1), 0));
  t.strictSame(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  t.equal(nextBackoffMs(5000, limits.instanceSteadyMs - 1), 5000);
  t.equal(nextBackoffMs(5000, limits.instanceSteadyMs), 100);
  t.end();
});

t.test('a line of the merged log names its process, whatever the line is', (t) => {
  const label = (line: string, stream: 'stdout' | 'stderr' = 'stdout'): unknown =>
    JSON.parse(labelLine('ingest-1', line, stream, 0));
  t.equal(
    labelLine('ingest-1', '{"level":30,"a":{"b":1}}', 'stdout', 0),
    '{"process":"ingest-1","level":30,"a":{"b":1}}',
  );
  t.strictSame(label('{}'), { process: 'ingest-1' });
  t.strictSame(label('{"process":"other","a":1}'), { process: 'ingest-1', a: 1 });
  const time = '1970-01-01T00:00:00.000Z';
  for (const line of ['{"half', '[1]', '"text"', 'Error: "x"\\', '{"a":1} and more']) {
    t.strictSame(label(line), { level: 30, time, process: 'ingest-1', msg: line });
  }
  t.strictSame(label('oh', 'stderr'), { level: 40, time, process: 'ingest-1', msg: 'oh' });
  t.end();
});

t.test('processes are started, their lines merged, and started again when they die', async (t) => {
  const { gateway, supervisor, lines, allReady } = await openFleet(
    t,
    standInPlans({ assignment: 2, ingest: 1, learner: 1, management: 1 }),
  );
  t.ok(await allReady());
  t.equal((await fetch(`${gateway.url}/readyz`)).status, 200);
  const parsed = lines.map((line) => JSON.parse(line));
  for (const name of Object.keys(supervisor.pids())) {
    const own = parsed.filter((line) => line.process === name);
    t.ok(
      own.some((line) => line.msg === 'listening' && line.level === 30),
      name,
    );
    t.ok(
      own.some((line) => line.msg === 'not JSON'),
      name,
    );
    t.ok(
      own.some((line) => line.msg === 'a complaint' && line.level === 40),
      name,
    );
  }
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  for (const name of Object.keys(supervisor.pids())) t.match(metrics, `up{instance="${name}"} 1`);
  t.equal(metrics.split('# TYPE up gauge').length, 2);

  const driven = load(gateway.url, 8);
  for (let round = 0; round < 3; round += 1) {
    const name = round % 2 === 0 ? 'assignment-1' : 'assignment-2';
    const pid = supervisor.pids()[name] as number;
    process.kill(pid, 'SIGKILL');
    t.ok(await until(() => (supervisor.pids()[name] ?? pid) !== pid, startTimeoutMs), 'it is started again');
    t.ok(await allReady());
  }
  const outcomes = await driven.stop();
  t.strictSame(
    [...outcomes.keys()].filter((outcome) => outcome !== 200 && outcome !== 503),
    [],
  );
  t.ok((outcomes.get(503) ?? 0) <= 3 * 8, `at most what was under way is unknown: ${outcomes.get(503)}`);
  t.ok((outcomes.get(200) ?? 0) > 100, `${outcomes.get(200)} answered`);
  t.ok(
    lines.some((line) => /"signal":"SIGKILL".*"livedMs":\d+,"againInMs":\d+/.test(line)),
    'the log says why',
  );

  const pids = Object.values(supervisor.pids());
  await supervisor.stop();
  t.notOk(pids.some(isAlive), 'nobody is left');
  const ends = lines.filter((line) => line.includes('a process ended'));
  t.equal(ends.length, 3, 'what was told to stop is not started again');
});

t.test('replacing every process under load fails no request, not even with one of each', async (t) => {
  const { gateway, supervisor, allReady } = await openFleet(
    t,
    standInPlans({ assignment: 1, ingest: 1, learner: 1, management: 1 }, { SLOW_MS: '20' }),
  );
  t.ok(await allReady());
  const before = supervisor.pids();
  const driven = load(gateway.url, 16);
  await Promise.all([supervisor.roll(), supervisor.roll()]);
  const outcomes = await driven.stop();
  t.strictSame([...outcomes.keys()], [200]);
  const after = supervisor.pids();
  for (const name of Object.keys(before)) {
    t.not(after[name], before[name], `${name} is another`);
    t.notOk(isAlive(before[name] as number));
  }
  await supervisor.stop();
});

t.test('a new process that never gets ready leaves the old ones where they are', async (t) => {
  const plans = standInPlans({ assignment: 1 });
  const env = plans[0]?.env as Record<string, string>;
  const { gateway, supervisor, lines, allReady } = await openFleet(t, plans);
  t.ok(await allReady());
  const before = supervisor.pids();
  env.BEHAVIOUR = 'mayfly';
  await supervisor.roll();
  t.strictSame(supervisor.pids(), before);
  t.ok(lines.some((line) => line.includes('the old ones stay')));
  t.equal(await (await fetch(`${gateway.url}/assignments/e`)).text(), String(before['assignment-1']));
  await supervisor.stop();
});

t.test('what ends at once waits longer each time; what does not listen to SIGTERM is killed', async (t) => {
  const [mayfly] = standInPlans({ ingest: 1 }, { BEHAVIOUR: 'mayfly' });
  const [deaf] = standInPlans({ assignment: 1 }, { BEHAVIOUR: 'deaf' });
  const [never] = standInPlans({ management: 1 }, { BEHAVIOUR: 'never-ready' });
  const { gateway, supervisor, lines } = await openFleet(t, [mayfly, deaf, never] as ProcessPlan[]);
  const waits = (): number[] =>
    lines.map((line) => JSON.parse(line)).flatMap(({ code, againInMs }) => (code === 7 ? [againInMs] : []));
  t.ok(await until(() => waits().length >= 4, startTimeoutMs));
  t.strictSame(waits().slice(0, 4), [100, 200, 400, 800]);
  t.ok(await until(() => gateway.table.states()['assignment-1'] === 'ready', startTimeoutMs));
  t.equal(gateway.table.states()['management-1'], 'starting');
  t.equal((await fetch(`${gateway.url}/experiments`)).status, 503, 'who is not ready is not asked');
  const pids = Object.values(supervisor.pids());
  await supervisor.stop();
  t.ok(lines.some((line) => /"name":"assignment-1".*did not end in time and is killed/.test(line)));
  t.notOk(pids.some(isAlive));
});

t.test('a supervisor that is killed leaves nobody behind', async (t) => {
  const program = fileURLToPath(new URL('./stand-in-supervisor.ts', import.meta.url));
  const child = spawn(process.execPath, ['--no-warnings', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const line = await new Promise<string>((resolve) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()));
  });
  const { folder, pids } = JSON.parse(line) as { folder: string; pids: number[] };
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  t.equal(pids.filter(isAlive).length, 5);
  child.kill('SIGKILL');
  t.ok(await until(() => !pids.some(isAlive), startTimeoutMs));
});
