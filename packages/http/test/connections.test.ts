/** What a connection carries: several requests, broken ones among them, and the end of the server. */
import { type AddressInfo, connect } from 'node:net';
import { limits } from '@bandit/contracts';
import t, { type Test } from 'tap';
import type { HttpServer } from '../src/index.ts';
import { addItemRoutes, openServer } from './test-server.ts';

/** A server with a route that answers when it is told to. */
async function listen(t: Test) {
  const app = await openServer();
  t.teardown(() => app.close());
  addItemRoutes(app);
  const started = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  app.get('/slow', { schema: { operationId: 'slow' } }, async () => {
    started.resolve();
    await go.promise;
    return { done: true };
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return { app, started: started.promise, go: go.resolve };
}

const portOf = (app: HttpServer): number => (app.server.address() as AddressInfo).port;

/** An open connection: what came so far, and how to wait for more. */
function open(app: HttpServer, port = portOf(app)) {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    received += chunk;
  });
  const closed = new Promise<string>((resolve, reject) => {
    socket.on('close', () => resolve(received));
    socket.on('error', reject);
  });
  return {
    socket,
    closed,
    answers: async (n: number): Promise<string> => {
      while (received.split('HTTP/1.1 ').length <= n) await new Promise((more) => socket.once('data', more));
      return received;
    },
  };
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const statusesOf = (text: string): string[] => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((m) => m[1] ?? '');

t.test('a broken request waits for the answers of the whole ones before it', async (t) => {
  const { app, started, go } = await listen(t);
  const { socket, closed } = open(app);
  socket.write(get('/slow'));
  await started;
  socket.write(`${get('/items/a')}GARBAGE\r\n\r\n`);
  // The parser has met the garbage by the time another connection is answered after it.
  const other = open(app);
  other.socket.write(get('/items/b'));
  await other.answers(1);
  other.socket.destroy();
  go();
  const received = await closed;
  t.strictSame(statusesOf(received), ['200', '200', '400']);
  t.match(received, /\{"done":true\}[\s\S]*\{"id":"a"\}[\s\S]*"code":"MALFORMED_REQUEST"/);
});

t.test('a request that breaks in its body is answered once, at once', async (t) => {
  const { app } = await listen(t);
  const { socket, closed } = open(app);
  const head =
    'POST /items HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked';
  socket.write(`${head}\r\n\r\n3\r\n{"n\r\nzz\r\n`);
  socket.write('more garbage');
  t.strictSame(statusesOf(await closed), ['400']);
});

t.test('a request that was refused before its body broke gets no second answer', async (t) => {
  const { app } = await listen(t);
  const { socket, answers, closed } = open(app);
  socket.write(
    'POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
  );
  await answers(1);
  socket.write('zz\r\n');
  t.strictSame(statusesOf(await closed), ['404']);

  const halved = open(app);
  halved.socket.write(get('/items/a'));
  halved.socket.write('POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{');
  await halved.answers(2);
  halved.socket.end();
  t.strictSame(statusesOf(await halved.closed), ['200', '404']);
});

t.test('an unknown route is 404 whatever its body, and the connection goes on', async (t) => {
  const { app } = await listen(t);
  const { socket, answers } = open(app);
  const post = (type: string, body: string): string =>
    `POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  socket.write(post('application/json', '{') + post('text/plain', 'x') + get('/items/a'));
  const received = await answers(3);
  t.strictSame(statusesOf(received), ['404', '404', '200']);
  socket.destroy();
});

t.test('a body past the limit is answered before all of it is sent, and the connection ends', async (t) => {
  const { app } = await listen(t);
  const { socket, closed } = open(app);
  socket.write(
    'POST /items HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9999999\r\n\r\n{',
  );
  const received = await closed;
  t.strictSame(statusesOf(received), ['413']);
  t.match(received, /connection: close/i);
});

t.test('a client that sends all of a body past the limit before it reads gets the answer', async (t) => {
  const { app } = await listen(t);
  const body = `"${'x'.repeat(4 * limits.bodyBytesMax)}"`;
  const head = 'POST /items HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
  const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  for (const rest of [
    `Content-Length: ${body.length}\r\n\r\n${body}`,
    `Transfer-Encoding: chunked\r\n\r\n${chunk}`,
  ]) {
    for (let round = 0; round < 10; round += 1) {
      const { socket, closed } = open(app);
      socket.write(head + rest);
      t.strictSame(statusesOf(await closed), ['413'], 'and no reset');
    }
  }
});

t.test('while it closes, open connections are answered once more and told to go', async (t) => {
  const { app, started, go } = await listen(t);
  const [busy, idle, port] = [open(app), open(app), portOf(app)];
  idle.socket.write(get('/items/a'));
  t.match(await idle.answers(1), /connection: keep-alive/i);
  busy.socket.write(get('/slow'));
  await started;
  const closing = app.close();
  // A client that sends just as the server decides to close.
  idle.socket.write(get('/items/b'));
  const received = await idle.closed;
  t.strictSame(statusesOf(received), ['200', '200']);
  t.match(received.split('HTTP/1.1 ')[2], /connection: close/i);
  go();
  t.match(await busy.closed, /\{"done":true\}/, 'what was under way is finished');
  await closing;
  await t.rejects(open(app, port).closed, { code: 'ECONNREFUSED' });
});

t.test('closing waits for no connection that stays silent', async (t) => {
  const { app } = await listen(t);
  const { socket, answers, closed } = open(app);
  socket.write(get('/items/a'));
  await answers(1);
  await app.close();
  t.strictSame(statusesOf(await closed), ['200']);
});
