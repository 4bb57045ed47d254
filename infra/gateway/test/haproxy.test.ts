/** haproxy.cfg before three services that say what reached them: routing, what is stripped, and what is never repeated. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { findFreePort, hasProgram, startServer } from '../../lint/start-server.ts';

t.setTimeout(120_000);

interface Service {
  readonly name: string;
  readonly port: number;
  /** Requests that came in, but for health checks. */
  readonly seen: IncomingMessage[];
  /** What becomes of the next requests. */
  mode: 'answer' | 'reset';
  isReady: boolean;
  readonly server: Server;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** On a connection of its own, unless `agent` is given. */
type Ask = (method: string, path: string, headers?: Record<string, string>, agent?: Agent) => Promise<Answer>;

async function testGateway(t: Test): Promise<void> {
  const services = await Promise.all(
    ['assignment', 'ingest', 'management'].map((name) => startService(t, name)),
  );
  const ask = await startGateway(t, services);
  await until(async () => (await ask('GET', '/readyz')).status === 200, 'the gateway does not become ready');
  await t.test('each route reaches its service', (t) => testRoutes(t, ask));
  await t.test('a client cannot say who its user is', (t) => testHeaders(t, ask, services[0]!));
  await t.test('a request whose outcome is unknown is not repeated', (t) => testUnknown(t, ask, services));
  await t.test('a process that drains gets no new requests', (t) => testDraining(t, ask, services[1]!));
}

async function testRoutes(t: Test, ask: Ask): Promise<void> {
  const routes = [
    ['POST', '/assignments', 'assignment'],
    ['GET', '/assignments/exp_1?userId=u', 'assignment'],
    ['HEAD', '/assignments/exp_1?userId=u', 'assignment'],
    ['POST', '/events', 'ingest'],
    ['POST', '/events/batch', 'ingest'],
    ['GET', '/events/exp_1', 'management'],
    ['GET', '/experiments', 'management'],
    ['POST', '/experiments/exp_1/refresh', 'management'],
    ['DELETE', '/subjects/u', 'management'],
    ['GET', '/assignmentsX', 'management'],
    ['POST', '/eventsX', 'management'],
    ['GET', '/openapi.json', 'management'],
  ] as const;
  for (const [method, path, service] of routes)
    t.equal((await ask(method, path)).headers['x-service'], service, `${method} ${path}`);
  const metrics = await ask('GET', '/metrics');
  t.equal(metrics.status, 404, 'metrics stay inside');
  t.match(JSON.parse(metrics.body), {
    success: false,
    code: 'ROUTE_NOT_FOUND',
    timestamp: /^\d{4}-.*\.\d{3}Z$/,
  });
}

async function testHeaders(t: Test, ask: Ask, assignment: Service): Promise<void> {
  await ask('POST', '/assignments', {
    'x-user-email': 'admin@example.com',
    Forwarded: 'for=1.2.3.4',
    Via: '1.1 x',
    'X-Real-IP': '1.2.3.4',
    'X-Forwarded-For': '1.2.3.4',
    'x-forwarded-host': 'elsewhere',
    'x-api-key': 'kept',
    'x-request-id': 'mine',
  });
  const names = Object.keys(assignment.seen.at(-1)!.headers).filter(
    (name) => name.startsWith('x-') || name === 'via',
  );
  t.strictSame(names.sort(), ['x-api-key', 'x-request-id']);
  t.equal(assignment.seen.at(-1)!.headers.forwarded, undefined);
  t.equal(assignment.seen.at(-1)!.headers['x-request-id'], 'mine');
  await ask('POST', '/assignments');
  t.match(
    assignment.seen.at(-1)!.headers['x-request-id'],
    /^[0-9a-f-]{36}$/,
    'a request without an id gets one',
  );
}

async function testUnknown(t: Test, ask: Ask, services: readonly Service[]): Promise<void> {
  const [assignment, ingest] = services as [Service, Service];
  for (const [service, method, path] of [
    [assignment, 'GET', '/assignments/exp_1?userId=u'],
    [ingest, 'POST', '/events'],
  ] as const) {
    service.mode = 'reset';
    const before = service.seen.length;
    const answer = await ask(method, path);
    service.mode = 'answer';
    t.equal(service.seen.length - before, 1, `${method}: sent once`);
    t.equal(answer.status, 503);
    t.equal(answer.headers['retry-after'], '1');
    t.equal(answer.headers['x-gateway-error'], undefined);
    t.match(JSON.parse(answer.body), { success: false, code: 'SERVICE_UNAVAILABLE', timestamp: /\.\d{3}Z$/ });
  }
  await t.test('on a connection that was used before it ends with the connection', async (t) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.teardown(() => agent.destroy());
    await ask('POST', '/events', {}, agent);
    ingest.mode = 'reset';
    const before = ingest.seen.length;
    await t.rejects(ask('POST', '/events', {}, agent), { code: 'ECONNRESET' });
    ingest.mode = 'answer';
    t.equal(ingest.seen.length - before, 1, 'sent once');
  });
}

async function testDraining(t: Test, ask: Ask, ingest: Service): Promise<void> {
  ingest.isReady = false;
  await until(
    async () => (await ask('POST', '/events')).status === 503,
    'a process that is not ready is asked',
  );
  const before = ingest.seen.length;
  const refusal = await ask('POST', '/events');
  t.equal(ingest.seen.length, before);
  t.match(JSON.parse(refusal.body), { success: false, code: 'SERVICE_UNAVAILABLE' });
  t.equal((await ask('GET', '/readyz')).status, 503);
  t.equal((await ask('POST', '/assignments')).status, 200, 'the others go on');
  ingest.isReady = true;
  await until(
    async () => (await ask('POST', '/events')).status === 200,
    'a process that is ready again is not asked',
  );
}

async function startService(t: Test, name: string): Promise<Service> {
  const service = { name, seen: [] as IncomingMessage[], mode: 'answer' as Service['mode'], isReady: true };
  const server = createServer((incoming, answer) => {
    if (incoming.url === '/readyz') return void answer.writeHead(service.isReady ? 200 : 503).end();
    service.seen.push(incoming);
    if (service.mode === 'reset') return void incoming.socket.destroy();
    answer.writeHead(200, { 'x-service': name, 'x-request-id': incoming.headers['x-request-id'] }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(service, { server, port: (server.address() as AddressInfo).port });
}

/** The file as it is shipped, but for addresses. */
async function startGateway(t: Test, services: readonly Service[]): Promise<Ask> {
  const dir = mkdtempSync(join(tmpdir(), 'bandit-gateway-'));
  const shipped = readFileSync(new URL('../haproxy.cfg', import.meta.url), 'utf8');
  const metricsPort = await findFreePort();
  const gateway = await startServer('haproxy', (port) => {
    let text = shipped
      .replace('bind :8080', `bind 127.0.0.1:${port}`)
      .replace('bind :8405', `bind 127.0.0.1:${metricsPort}`);
    for (const { name, port: servicePort } of services)
      text = text.replace(
        new RegExp(`server-template ${name} \\d+ ${name}:3000`, 'g'),
        `server ${name}1 127.0.0.1:${servicePort}`,
      );
    const file = join(dir, 'haproxy.cfg');
    writeFileSync(file, text);
    return ['-f', file];
  });
  t.teardown(async () => {
    await gateway.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  return (method, path, headers = {}, agent) => ask(gateway.port, method, path, headers, agent);
}

function ask(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string>,
  agent: Agent | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port, method, path, headers, timeout: 30_000, agent: agent ?? false },
      (answer) => {
        let body = '';
        answer.on('data', (chunk) => (body += String(chunk)));
        answer.on('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, body }));
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer to ${method} ${path}`)));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

async function until(isTrue: () => Promise<boolean>, complaint: string): Promise<void> {
  const deadlineMs = Date.now() + 30_000;
  while (!(await isTrue())) {
    if (Date.now() > deadlineMs) throw new Error(complaint);
    await delay(20);
  }
}

// Not one of the stores: no machine has to have it, and CI_REQUIRE_STORES does not ask for it.
if (hasProgram('haproxy')) await t.test('haproxy.cfg', testGateway);
else {
  console.warn('NOT TESTED: infra/gateway/haproxy.cfg, as haproxy is not installed here');
  t.test('haproxy.cfg', { skip: 'haproxy is not installed here' }, async () => undefined);
}
