/**
 * What a million assignments and a million events cost: rows, bytes on disk and in the write-ahead log, processor seconds
 * of each process, the learner's included. Own Postgres (default settings, fsync on), NATS and Redis, each service a
 * process of its own, the load from this one:
 *
 *   node bench/capacity.ts [--n 200000] [--connections 64] [--batch 100]
 */
import { parseArgs } from 'node:util';
import { startNats, startPostgres, startRedis } from '@bandit/test-stores';
import pg from 'pg';
import { readCpuSeconds } from './capacity/cpu.ts';
import { type Answered, postAll } from './capacity/load.ts';
import { type ServiceProcess, startService } from './capacity/service-processes.ts';
import { readTableSizes, readWalBytes } from './capacity/table-sizes.ts';
import { createTenant, jwtSecret, platformToken, type Tenant } from './capacity/tenant.ts';

const { values } = parseArgs({
  options: {
    n: { type: 'string', default: '200000' },
    connections: { type: 'string', default: '64' },
    batch: { type: 'string', default: '100' },
  },
});
const [n, connections, batch] = [Number(values.n), Number(values.connections), Number(values.batch)];

const [postgres, nats, redis] = await Promise.all([startPostgres(), startNats(), startRedis()]);
const client = new pg.Client({ connectionString: postgres.connectionString });
const services: ServiceProcess[] = [];
try {
  await startServices();
  await client.connect();
  await run(await createTenant(urlOf('management')));
} finally {
  await Promise.all(services.map((service) => service.stop()));
  await client.end();
  await Promise.all([postgres.stop(), nats.stop(), redis.stop()]);
}

async function startServices(): Promise<void> {
  const env = {
    DATABASE_URL: postgres.connectionString,
    NATS_URL: nats.url,
    REDIS_URL: redis.url,
    ASSIGNMENT_SECRET: 'the assignment secret of the capacity bench',
    JWT_SECRET: jwtSecret,
    PLATFORM_TOKEN: platformToken,
  };
  services.push(await startService('management', 'management', env));
  services.push(await startService('assignment', 'assignment', env));
  services.push(await startService('ingest', 'ingest', { ...env, INGEST_PARTS: 'accept' }));
  services.push(await startService('learner', 'ingest', { ...env, INGEST_PARTS: 'learner' }));
}

async function run(tenant: Tenant): Promise<void> {
  const { apiKey, experimentId } = tenant;
  const ids: string[] = [];
  const users = Array.from({ length: n }, (_, i) => ({ experimentId, userId: `user_${i}` }));
  const onAnswer = (_body: object, text: string): void => {
    ids.push(/"assignmentId":"([^"]+)"/.exec(text)?.[1] as string);
  };
  await measure('new assignments, one request each', n, async () => {
    const settings = { connections, status: 200, onAnswer };
    const answered = await postAll(urlOf('assignment'), '/assignments', apiKey, users, settings);
    await tenant.untilLearned(n, 0);
    return answered;
  });
  await measure('known users asked again', n, () =>
    postAll(urlOf('assignment'), '/assignments', apiKey, users, { connections, status: 200 }),
  );
  const events = ids.map((assignmentId) => ({ assignmentId, eventType: 'CONVERSION' }));
  const half = Math.floor(n / 2);
  await measure('conversions, one request each', half, async () => {
    const first = events.slice(0, half);
    const answered = await postAll(urlOf('ingest'), '/events', apiKey, first, { connections, status: 201 });
    await tenant.untilLearned(n, half);
    return answered;
  });
  await measure(`conversions in batches of ${batch}`, n - half, async () => {
    const bodies: object[] = [];
    for (let at = half; at < n; at += batch) bodies.push({ events: events.slice(at, at + batch) });
    const settings = { connections: 8, status: 201 };
    const answered = await postAll(urlOf('ingest'), '/events/batch', apiKey, bodies, settings);
    await tenant.untilLearned(n, n);
    return answered;
  });
  await printTables();
}

/** Prints what `work` took of everything, scaled to a million of what it did. */
async function measure(what: string, count: number, work: () => Promise<Answered>): Promise<void> {
  const read = (): number[] => [
    ...services.map((service) => service.cpuSeconds()),
    readCpuSeconds(postgres.pid),
  ];
  const before = read();
  const walBefore = await readWalBytes(client);
  const { seconds, p50, p99 } = await work();
  const after = read();
  const walBytes = (await readWalBytes(client)) - walBefore;
  const names = [...services.map(({ name }) => name), 'postgres'];
  const perMillion = 1_000_000 / count;
  const cpu = names.map(
    (name, i) => `${name} ${(((after[i] ?? 0) - (before[i] ?? 0)) * perMillion).toFixed(0)}`,
  );
  console.log(`\n${what} (${count})`);
  console.log(
    `  ${(count / seconds).toFixed(0)}/s, a request p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
  );
  console.log(`  CPU seconds per million: ${cpu.join(', ')}`);
  console.log(`  write-ahead log: ${(walBytes / count).toFixed(0)} bytes each`);
}

async function printTables(): Promise<void> {
  await client.query('vacuum analyze');
  console.log(
    `\n${'table'.padEnd(24)}${'rows'.padStart(10)}${'bytes a row'.padStart(14)}${'of it indexes'.padStart(16)}`,
  );
  for (const { table, rows, heapBytes, indexBytes } of await readTableSizes(client)) {
    if (rows < 1_000) continue;
    const perRow = ((heapBytes + indexBytes) / rows).toFixed(0);
    console.log(
      `${table.padEnd(24)}${String(rows).padStart(10)}${perRow.padStart(14)}${(indexBytes / rows).toFixed(0).padStart(16)}`,
    );
  }
}

function urlOf(name: string): string {
  return (services.find((service) => service.name === name) as ServiceProcess).url;
}
