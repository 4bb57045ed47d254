import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { limits } from '@bandit/contracts';
import t from 'tap';
import { echo, exchange, nowMs, openGateway, until } from './open-gateway.ts';

t.setTimeout(120_000);

// biome-ignore lint/suspicious/noExplicitAny: answers are asserted field by field.
type Any = any;

t.test('a request goes to the service that has its route, as it came', async (t) => {
  const gateway = await openGateway(t);
  for (const service of ['assignment', 'ingest', 'management'] as const) {
    await gateway.standIn(`${service}-1`, service, (_request, response) => response.end(service));
  }
  const cases: [string, string, string][] = [
    ['POST', '/assignments', 'assignment'],
    ['GET', '/assignments/exp_1?userId=a', 'assignment'],
    ['PUT', '/assignments', 'assignment'],
    ['POST', '/events', 'ingest'],
    ['POST', '/events?x=1', 'ingest'],
    ['POST', '/%65vents', 'ingest'],
    ['POST', '/events/batch', 'ingest'],
    ['GET', '/events/exp_1', 'management'],
    ['POST', '/events/', 'management'],
    ['GET', '/events', 'management'],
    ['GET', '/', 'management'],
    ['POST', '/experiments/exp_1/refresh', 'management'],
    ['DELETE', '/nowhere', 'management'],
    ['GET', '/docs/', 'management'],
  ];
  for (const [method, path, service] of cases) {
    const answer = await fetch(gateway.url + path, { method });
    t.equal(await answer.text(), service, `${method} ${path}`);
  }
});

t.test('bodies pass byte for byte, whatever they are called', async (t) => {
  const gateway = await openGateway(t);
  await gateway.standIn('ingest-1', 'ingest', echo);
  const large = randomBytes(limits.batchBodyBytesMax);
  const bodies: [string, Buffer][] = [
    ['application/json', Buffer.from('{"a":1}')],
    ['application/json; charset=utf-8 ;garbage', Buffer.from([0, 255, 13, 10])],
    ['application/json\t', Buffer.from('x')],
    ['not a type at all', Buffer.from('{')],
    ['application/json', randomBytes(limits.gatewayHeldBodyBytesMax)],
    ['application/json', randomBytes(limits.gatewayHeldBodyBytesMax + 1)],
    ['application/json', large],
  ];
  for (const [type, body] of bodies) {
    for (const isChunked of [false, true]) {
      const received: Any = await new Promise((resolve, reject) => {
        const headers = {
          'content-type': type,
          ...(isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': body.length }),
        };
        const request = httpRequest(`${gateway.url}/events/batch`, { method: 'POST', headers }, (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
        });
        request.on('error', reject);
        request.end(body);
      });
      const name = `${body.length} bytes of ${JSON.stringify(type)}${isChunked ? ', in chunks' : ''}`;
      t.ok(Buffer.from(received.body, 'base64').equals(body), name);
      t.equal(received.headers['content-type'], type.trim(), name);
    }
  }
});

t.test('who the user is, is believed of trusted peers alone', async (t) => {
  const lines = [
    'X-User-Email: admin@example.com',
    'X-Forwarded-For: 10.0.0.1',
    'X-Forwarded-Host: a',
    'Forwarded: for=10.0.0.1',
    'Via: 1.1 a',
    'X-Real-IP: 10.0.0.1',
  ];
  const send = async (port: number, extra: readonly string[]): Promise<Any> => {
    const head = ['GET /experiments HTTP/1.1', 'Host: a', ...extra].join('\r\n');
    const connection = extra.some((line) => line.startsWith('Connection')) ? '' : 'Connection: close\r\n';
    const answer = await exchange(port, `${head}\r\n${connection}\r\n`);
    return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))).headers;
  };
  await t.test('without any, it is taken away, however it is written', async (t) => {
    for (const trustedProxies of [undefined, [], ['10.0.0.0/8']]) {
      const gateway = await openGateway(t, { trustedProxies });
      await gateway.standIn('management-1', 'management', echo);
      for (const extra of [
        lines,
        [...lines, ...lines],
        lines.map((line) => line.toUpperCase()),
        ['Connection: close, x-user-email', 'x-user-email: admin@example.com'],
        ['Connection: close, host, x-request-id', 'x-user-email:admin@example.com'],
      ]) {
        const headers = await send(gateway.port, extra);
        const left = Object.keys(headers).filter((name) => /user-email|forward|via|real-ip/.test(name));
        t.strictSame(left, []);
        t.equal(headers.host, 'a', 'the host cannot be taken away');
        t.match(headers['x-request-id'], /^made-/);
      }
    }
  });
  await t.test('a trusted one says it, once', async (t) => {
    const gateway = await openGateway(t, { trustedProxies: ['127.0.0.0/8'] });
    await gateway.standIn('management-1', 'management', echo);
    const headers = await send(gateway.port, lines);
    t.equal(headers['x-user-email'], 'admin@example.com');
    t.equal(headers['x-forwarded-for'], '10.0.0.1');
    const twice = await send(gateway.port, [...lines, 'x-user-email: other@example.com']);
    t.equal(twice['x-user-email'], 'admin@example.com, other@example.com', 'two are no address');
    const named = await send(gateway.port, ['Connection: close, x-user-email', 'x-user-email: a@b.c']);
    t.equal(named['x-user-email'], undefined);
  });
});

t.test('hop-by-hop headers stay between neighbours', async (t) => {
  const gateway = await openGateway(t);
  await gateway.standIn('management-1', 'management', (request, response) => {
    response.writeHead(200, {
      connection: 'close, x-inner',
      'x-inner': '1',
      'proxy-connection': 'close',
      'x-total-count': '7',
      'set-cookie': ['a=1', 'b=2'],
    });
    response.end(JSON.stringify(request.headers));
  });
  const text = await exchange(
    gateway.port,
    'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nProxy-Authorization: x\r\nX-Other: 2\r\n\r\n',
  );
  const [head = '', body = ''] = text.split('\r\n\r\n');
  t.match(head, /x-total-count: 7/i);
  t.match(head, /set-cookie: a=1\r\nset-cookie: b=2/i);
  t.notMatch(head, /x-inner|proxy-connection/i);
  t.match(head, /^connection: close$/im);
  t.match(body, /"x-other":"2"/);
  t.notMatch(body, /x-mine|"te"|keep-alive":|upgrade|proxy-authorization/);
});

t.test("every answer has a request id: the client's where it is a good one", async (t) => {
  const gateway = await openGateway(t);
  await gateway.standIn('management-1', 'management', echo);
  for (const [sent, expected] of [
    ['mine-1.A_b', /^mine-1\.A_b$/],
    ['not good', /^made-/],
    ['x'.repeat(200), /^made-/],
    [undefined, /^made-/],
  ] as const) {
    const headers: Record<string, string> = sent === undefined ? {} : { 'x-request-id': sent };
    const answer = await fetch(`${gateway.url}/x`, { headers });
    t.match(answer.headers.get('x-request-id'), expected);
    t.match(
      ((await answer.json()) as Any).headers['x-request-id'],
      expected,
      'and the instance logs the same',
    );
  }
});

t.test('HEAD, Expect and pipelining are what they are', async (t) => {
  const gateway = await openGateway(t);
  await gateway.standIn('assignment-1', 'assignment', echo);
  const end = 'Host: a\r\nConnection: close\r\n\r\n';
  const head = await exchange(gateway.port, `HEAD /assignments/e HTTP/1.1\r\n${end}`);
  t.match(head, /^HTTP\/1\.1 200 /);
  t.match(head, /content-length: [1-9]/i);
  t.ok(head.endsWith('\r\n\r\n'), 'no body');
  const expecting = `POST /assignments HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n${end}{}`;
  const answer = await exchange(gateway.port, expecting);
  t.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  t.match(answer, /"body":"e30="/);
  const two = await exchange(
    gateway.port,
    `GET /assignments/1 HTTP/1.1\r\nHost: a\r\n\r\nGET /assignments/2 HTTP/1.1\r\n${end}`,
  );
  t.ok(two.indexOf('"url":"/assignments/1"') < two.indexOf('"url":"/assignments/2"'));
});

t.test('what frames a request twice or not at all reaches nobody', async (t) => {
  const gateway = await openGateway(t);
  const standIns = [
    await gateway.standIn('ingest-1', 'ingest', echo),
    await gateway.standIn('management-1', 'management', echo),
  ];
  const post = 'POST /events HTTP/1.1\r\nHost: a\r\n';
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
  const cases = [
    `${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    `${post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${smuggled}`,
    `${post}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab${smuggled}`,
    `${post}Content-Length: 2, 2\r\n\r\nab${smuggled}`,
    `${post}Content-Length: +2\r\n\r\nab`,
    `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`,
    `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
    `${post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    `${post}X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    `${post}Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\nab\r\n0\r\n\r\n${smuggled}`,
    `${post}X-A: b\nContent-Length: 5\r\n\r\n${smuggled}`,
    `${post}X-User-Email\r\n\r\n`,
    'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n',
  ];
  for (const text of cases) {
    const answer = await exchange(gateway.port, text);
    t.match(answer, /^HTTP\/1\.1 400 /, JSON.stringify(text.slice(0, 100)));
    t.match(answer, /"code":"MALFORMED_REQUEST"/);
    t.equal(answer.split('HTTP/1.1 ').length, 2, 'one answer');
  }
  t.strictSame(
    standIns.map((standIn) => standIn.nRequests()),
    [0, 0],
  );
});

t.test('a request that nobody took goes to another; one that was sent is never repeated', async (t) => {
  const gateway = await openGateway(t);
  await t.test('nobody at all: 503 in the envelope', async (t) => {
    const answer = await fetch(`${gateway.url}/assignments`, { method: 'POST', body: '{}' });
    t.equal(answer.status, 503);
    t.equal(answer.headers.get('retry-after'), '1');
    t.match(await answer.json(), {
      success: false,
      code: 'SERVICE_UNAVAILABLE',
      timestamp: new Date(nowMs).toISOString(),
    });
  });
  await t.test('sockets that refuse are passed over, small bodies and streamed ones alike', async (t) => {
    gateway.absent('ingest-1', 'ingest');
    gateway.absent('ingest-2', 'ingest');
    const real = await gateway.standIn('ingest-3', 'ingest', echo);
    for (let round = 0; round < 20; round += 1) {
      const body = Buffer.alloc(round % 2 === 0 ? 10 : limits.gatewayHeldBodyBytesMax * 3, round);
      const answer = await fetch(`${gateway.url}/events`, { method: 'POST', body });
      t.equal(answer.status, 200);
      t.ok(Buffer.from(((await answer.json()) as Any).body, 'base64').equals(body));
    }
    t.equal(real.nRequests(), 20);
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    t.match(
      metrics,
      /bandit_gateway_requests_total\{instance="gateway",service="ingest",outcome="refused"\} [1-9]/,
    );
  });
  await t.test('an instance that ends in the middle: 503, and the other is not asked', async (t) => {
    const dying = await gateway.standIn('assignment-1', 'assignment', (request) => request.socket.destroy());
    const other = await gateway.standIn('assignment-2', 'assignment', (request) => request.socket.destroy());
    const answer = await fetch(`${gateway.url}/assignments`, { method: 'POST', body: '{}' });
    t.equal(answer.status, 503);
    t.equal(answer.headers.get('retry-after'), '1');
    t.match(await answer.json(), { code: 'SERVICE_UNAVAILABLE', error: /may have taken effect/ });
    t.equal(dying.nRequests() + other.nRequests(), 1);
  });
  await t.test('half an answer is no answer', async (t) => {
    await gateway.standIn('management-1', 'management', (_request, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('{"success":true');
      setImmediate(() => response.socket?.destroy());
    });
    await t.rejects(fetch(`${gateway.url}/experiments`).then((answer) => answer.text()));
  });
});

t.test('the least busy instance is asked, and none that drains', async (t) => {
  const gateway = await openGateway(t);
  const held: (() => void)[] = [];
  const hold = (_request: unknown, response: Any): void => void held.push(() => response.end('x'));
  const one = await gateway.standIn('assignment-1', 'assignment', hold);
  const two = await gateway.standIn('assignment-2', 'assignment', hold);
  const asked = Array.from({ length: 20 }, () => fetch(`${gateway.url}/assignments/e`));
  t.ok(await until(() => held.length === 20));
  t.strictSame([one.nRequests(), two.nRequests()], [10, 10]);
  two.instance.state = 'draining';
  const last = fetch(`${gateway.url}/assignments/e`);
  t.ok(await until(() => one.nRequests() === 11));
  one.instance.state = 'late';
  const late = fetch(`${gateway.url}/assignments/e`);
  t.ok(await until(() => one.nRequests() === 12), 'a late one is better than none');
  for (const release of held) release();
  await Promise.all([...asked, last, late].map(async (answer) => (await answer).text()));
  t.ok(await until(() => one.instance.nInFlight === 0 && two.instance.nInFlight === 0));
});

t.test('a client that goes away ends the work on its request', async (t) => {
  const gateway = await openGateway(t);
  let isClosed = false;
  const standIn = await gateway.standIn('management-1', 'management', (_request, response) => {
    response.on('close', () => {
      isClosed = true;
    });
  });
  const abort = new AbortController();
  const asked = fetch(`${gateway.url}/experiments`, { signal: abort.signal });
  t.ok(await until(() => standIn.nRequests() === 1));
  abort.abort();
  await t.rejects(asked);
  t.ok(await until(() => isClosed));
  t.ok(await until(() => standIn.instance.nInFlight === 0));
});

t.test('a large answer streams at the pace of its reader', async (t) => {
  const gateway = await openGateway(t);
  const size = 30_000_000;
  let nWritten = 0;
  await gateway.standIn('management-1', 'management', (_request, response) => {
    const chunk = Buffer.alloc(100_000, 7);
    const write = (): void => {
      while (nWritten < size) {
        nWritten += chunk.length;
        if (!response.write(chunk)) {
          response.once('drain', write);
          return;
        }
      }
      response.end();
    };
    write();
  });
  const nRead = await new Promise<number>((resolve, reject) => {
    const request = httpRequest(`${gateway.url}/experiments`, (answer) => {
      let n = 0;
      // Nothing is read until the writer stands still.
      let before = -1;
      const look = setInterval(() => {
        if (nWritten !== before) {
          before = nWritten;
          return;
        }
        clearInterval(look);
        t.ok(nWritten < size, `${nWritten} bytes were taken of a reader that stands still`);
        answer.on('data', (chunk: Buffer) => {
          n += chunk.length;
        });
        answer.on('end', () => resolve(n));
      }, 200);
    });
    request.on('error', reject);
    request.end();
  });
  t.equal(nRead, size);
});

t.test('a refusal before the end of the body reaches the client', async (t) => {
  const gateway = await openGateway(t);
  await gateway.standIn('ingest-1', 'ingest', (request, response) => {
    const text = '{"code":"BODY_TOO_LARGE"}';
    response.writeHead(413, { connection: 'close', 'content-length': text.length });
    response.end(text);
    request.resume();
  });
  const body = Buffer.alloc(20_000_000, 1);
  const answer: Any = await new Promise((resolve, reject) => {
    const headers = { 'content-length': body.length };
    const request = httpRequest(`${gateway.url}/events`, { method: 'POST', headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    request.on('error', reject);
    request.end(body);
  });
  t.equal(answer.status, 413);
  t.equal(answer.text, '{"code":"BODY_TOO_LARGE"}');
  t.equal(answer.headers.connection, 'close');
});

t.test('an instance that hangs is answered for in time', async (t) => {
  const gateway = await openGateway(t);
  await gateway.standIn('assignment-1', 'assignment', () => undefined);
  const answer = await fetch(`${gateway.url}/assignments/e`);
  t.equal(answer.status, 503);
  t.equal(answer.headers.get('retry-after'), '1');
});

t.test('one peer has its share, counted at the gateway', async (t) => {
  const gateway = await openGateway(t, { rateLimitPerPeer: 2 });
  const standIn = await gateway.standIn('assignment-1', 'assignment', echo);
  const answers = [];
  for (let i = 0; i < 3; i += 1) answers.push(await fetch(`${gateway.url}/assignments/e`));
  t.strictSame(
    answers.map(({ status }) => status),
    [200, 200, 429],
  );
  t.equal(answers[0]?.headers.get('ratelimit'), '"peer";r=1;t=1');
  t.equal(standIn.nRequests(), 2);
  t.equal((await fetch(`${gateway.url}/livez`)).status, 200, 'health is never refused');
});

t.test('a gateway that stops finishes what runs and says close', async (t) => {
  const gateway = await openGateway(t);
  let answer = (): void => undefined;
  const standIn = await gateway.standIn('assignment-1', 'assignment', (_request, response) => {
    answer = () => response.end('done');
  });
  const asked = fetch(`${gateway.url}/assignments/e`);
  t.ok(await until(() => standIn.nRequests() === 1));
  const drained = gateway.drain();
  setImmediate(() => answer());
  t.equal(await (await asked).text(), 'done');
  await drained;
  await t.rejects(fetch(`${gateway.url}/livez`));
});
