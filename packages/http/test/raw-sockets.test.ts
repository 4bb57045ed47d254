import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { limits } from '@bandit/contracts';
import { Registry } from 'prom-client';
import t from 'tap';
import { useAnswerDeadline } from '../src/answer-deadline.ts';
import type { HttpServer } from '../src/index.ts';
import { addItemRoutes, nowMs, openServer } from './test-server.ts';

/** Sends bytes and gives back all that comes until the server closes. */
function exchange(app: HttpServer, text: string): Promise<string> {
  const { port } = app.server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let received = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
  });
}

async function listen(): Promise<HttpServer> {
  const app = await openServer();
  addItemRoutes(app);
  await app.listen({ host: '127.0.0.1', port: 0 });
  return app;
}

t.test('what is not HTTP gets the envelope and a closed socket', async (t) => {
  const app = await listen();
  t.teardown(() => app.close());
  const end = 'Host: a\r\nConnection: close\r\n\r\n';
  const cases: [string, string, string, number, string][] = [
    ['garbage', 'HELLO\r\n\r\n', '', 400, 'MALFORMED_REQUEST'],
    ['a method that is none', 'BREW / HTTP/1.1\r\n', end, 400, 'MALFORMED_REQUEST'],
    [
      'two lengths',
      'POST /items HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n',
      end,
      400,
      'MALFORMED_REQUEST',
    ],
    [
      'length and chunks',
      'POST /items HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n',
      end,
      400,
      'MALFORMED_REQUEST',
    ],
    [
      'a broken chunk',
      'POST /items HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n',
      `${end}zz\r\n`,
      400,
      'MALFORMED_REQUEST',
    ],
    [
      'headers too large',
      `GET /items/a HTTP/1.1\r\nX-Big: ${'x'.repeat(limits.headerBytesMax)}\r\n`,
      end,
      431,
      'HEADERS_TOO_LARGE',
    ],
    ['no Host', 'GET /items/a HTTP/1.1\r\nConnection: close\r\n\r\n', '', 400, 'MALFORMED_REQUEST'],
    ['an expectation', 'GET /nowhere HTTP/1.1\r\nExpect: magic\r\n', end, 404, 'ROUTE_NOT_FOUND'],
    ['an unknown method', 'PROPFIND /items HTTP/1.1\r\n', end, 404, 'ROUTE_NOT_FOUND'],
    [
      'a URL past its limit',
      `GET /items/${'x'.repeat(limits.urlBytesMax)} HTTP/1.1\r\n`,
      end,
      400,
      'MALFORMED_REQUEST',
    ],
  ];
  for (const [name, head, rest, status, code] of cases) {
    const answer = await exchange(app, head + rest);
    const [headers = '', body = ''] = answer.split('\r\n\r\n');
    t.match(headers, new RegExp(`^HTTP/1\\.1 ${status} `), name);
    t.match(headers, /x-request-id: \S+/i, `${name}: request id`);
    const envelope = JSON.parse(body) as Record<string, unknown>;
    t.match(envelope, { success: false, code, timestamp: new Date(nowMs).toISOString() }, name);
    t.type(envelope.error, 'string');
    t.notOk('data' in envelope);
  }
});

t.test('a body that breaks off is no request that was served, and no fault of ours', async (t) => {
  const registry = new Registry();
  const app = await openServer({ registry });
  addItemRoutes(app);
  await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  let nServed = 0;
  app.server.on('request', (_request, response) =>
    response.on('finish', () => {
      if (response.statusCode < 300) nServed += 1;
    }),
  );
  await new Promise<void>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(
        'POST /items HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"na',
      );
      socket.end();
    });
    socket.on('data', () => undefined);
    socket.on('close', () => resolve());
  });
  t.equal(nServed, 0);
  const errors = (await registry.metrics()).match(/^bandit_http_errors_total\{.*$/gm);
  t.strictSame(errors, ['bandit_http_errors_total{service="test",code="MALFORMED_REQUEST"} 1']);
  t.equal((await app.inject('/items/a')).statusCode, 200, 'the server lives');
});

t.test('the largest session cookie fits beside a long URL', async (t) => {
  const app = await listen();
  t.teardown(() => app.close());
  const cookie = `a=${'x'.repeat(limits.sessionTokenBytesMax)}`;
  const answer = await exchange(
    app,
    `GET /items/a HTTP/1.1\r\nHost: a\r\nCookie: ${cookie}\r\nConnection: close\r\n\r\n`,
  );
  t.match(answer, /^HTTP\/1\.1 200 /);
});

t.test('slow sockets are cut within the limits', async (t) => {
  const app = await listen();
  t.teardown(() => app.close());
  const { server } = app;
  // A request is found out at the next check, so its time and one interval make the limit.
  t.equal(server.requestTimeout + limits.timeoutCheckIntervalMs, limits.requestTimeoutMs);
  t.equal(server.headersTimeout, limits.headersTimeoutMs);
  t.equal(server.timeout, limits.connectionTimeoutMs);
  t.equal(server.keepAliveTimeout, limits.keepAliveTimeoutMs);
  const options = server as unknown as { connectionsCheckingInterval?: number };
  t.ok(
    (options.connectionsCheckingInterval ?? limits.timeoutCheckIntervalMs) <= limits.timeoutCheckIntervalMs,
  );
});

t.test('a handler that hangs is 503 and a body that does not come 408, each once', async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  const late: string[] = [];
  useAnswerDeadline(app as never, {
    withinMs: 30,
    checkIntervalMs: 10,
    onLate: (why) => void late.push(why),
  });
  const hang = { schema: { operationId: 'hang', body: {} } };
  app.post('/hang', hang, () => new Promise(() => undefined));
  await app.listen({ host: '127.0.0.1', port: 0 });
  const head = 'POST /hang HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
  const hung = await exchange(app, `${head}Connection: close\r\nContent-Length: 2\r\n\r\n{}`);
  t.match(hung, /^HTTP\/1\.1 503 /);
  t.match(hung, /retry-after: 1\r\n/);
  t.match(hung, /"code":"OVERLOADED"/);
  const halved = await exchange(app, `${head}Content-Length: 9\r\n\r\n{`);
  t.match(halved, /^HTTP\/1\.1 408 /);
  t.match(halved, /"code":"REQUEST_TIMEOUT"/);
  t.equal(halved.match(/HTTP\/1\.1/g)?.length, 1, 'one answer, then the socket is closed');
  t.strictSame(late, ['deadline', 'body_deadline'], 'each is told once');
});

t.test('a route that names its own time gets it', async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  useAnswerDeadline(app as never, { withinMs: 20, checkIntervalMs: 10, onLate: () => undefined });
  app.get('/quick', { schema: { operationId: 'quick' } }, () => new Promise(() => undefined));
  let finish = (): void => undefined;
  const patient = { schema: { operationId: 'patient' }, config: { answerWithinMs: 60_000 } };
  app.get(
    '/patient',
    patient,
    () =>
      new Promise((resolve) => {
        finish = () => resolve({ done: true });
      }),
  );
  // Its timers keep no process alive; a listening server does.
  await app.listen({ host: '127.0.0.1', port: 0 });
  const slow = app.inject('/patient');
  t.equal((await app.inject('/quick')).statusCode, 503, 'came later and is answered earlier');
  finish();
  t.equal((await slow).statusCode, 200);
});

t.test('pipelined requests are answered in order', async (t) => {
  const app = await listen();
  t.teardown(() => app.close());
  const get = (id: string, more = '') => `GET /items/${id} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
  const answer = await exchange(app, get('a') + get('b') + get('c', 'Connection: close\r\n'));
  t.equal(answer.match(/HTTP\/1\.1 200 /g)?.length, 3);
  t.strictSame(answer.match(/\{"id":"."\}/g), ['{"id":"a"}', '{"id":"b"}', '{"id":"c"}']);
});

t.test('while it closes, requests on open connections are answered and told to go', async (t) => {
  const app = await openServer();
  let release = (): void => undefined;
  const started = new Promise<void>((resolve) => {
    app.get('/slow', { schema: { operationId: 'slow' } }, async () => {
      resolve();
      await new Promise<void>((go) => {
        release = go;
      });
      return { done: true };
    });
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const answer = exchange(app, 'GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  await started;
  const closed = app.close();
  release();
  await closed;
  t.match(await answer, /^HTTP\/1\.1 200 /);
  t.match(await answer, /\{"done":true\}$/);
});
