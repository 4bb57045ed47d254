import { once } from 'node:events';
import { createServer, connect as netConnect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { findFreePort, startTcpProxy } from '../src/index.ts';
import { waitUntil } from '../src/wait-until.ts';

/** A server that sends back what it gets, and a proxy before it. */
async function setUp(t: Test) {
  const port = await findFreePort();
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const proxy = await startTcpProxy({ targetPort: port });
  const clients: Socket[] = [];
  t.teardown(async () => {
    for (const client of clients) client.destroy();
    await proxy.close();
    server.close();
  });
  const connect = async () => {
    const socket = netConnect(proxy.port, '127.0.0.1');
    clients.push(socket);
    const client = { socket, text: '', isClosed: false };
    socket.on('data', (chunk) => {
      client.text += chunk.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      client.isClosed = true;
    });
    await once(socket, 'connect');
    return client;
  };
  return { proxy, connect };
}

const until = (isTrue: () => boolean) => waitUntil(isTrue, 10_000, 'it does not come true');

t.test('it hands on both directions, large and small, and the end', async (t) => {
  const { proxy, connect } = await setUp(t);
  const client = await connect();
  const large = 'x'.repeat(3_000_000);
  client.socket.write('a');
  client.socket.end(large);
  await until(() => client.isClosed);
  t.equal(client.text.length, large.length + 1);
  await until(() => proxy.connections() === 0);
});

t.test('latency is added to the round trip, order stays', async (t) => {
  const { proxy, connect } = await setUp(t);
  const client = await connect();
  proxy.setLatencyMs(300);
  const startedMs = performance.now();
  client.socket.write('a');
  await until(() => client.text === 'a');
  t.ok(performance.now() - startedMs >= 290, `${performance.now() - startedMs} ms`);
  client.socket.write('b');
  await until(() => proxy.connections() === 1);
  proxy.setLatencyMs(0);
  client.socket.write('c');
  await until(() => client.text.length === 3);
  t.equal(client.text, 'abc', 'a byte sent later never overtakes');
});

t.test('a black hole swallows, and what lost bytes is cut afterwards', async (t) => {
  const { proxy, connect } = await setUp(t);
  const [holed, idle] = [await connect(), await connect()];
  idle.socket.write('1');
  await until(() => idle.text === '1');
  proxy.blackhole(true);
  const late = await connect();
  holed.socket.write('lost');
  late.socket.write('lost');
  // The third round trip of a connection that is not holed would be over by far.
  for (let round = 0; round < 10; round++) await new Promise((resolve) => setTimeout(resolve, 20));
  t.strictSame([holed.text, late.text, holed.isClosed, late.isClosed], ['', '', false, false]);
  proxy.blackhole(false);
  await until(() => holed.isClosed && late.isClosed);
  idle.socket.write('2');
  await until(() => idle.text === '12');
  t.equal(idle.isClosed, false);
});

t.test('the end of a connection is swallowed too', async (t) => {
  const { proxy, connect } = await setUp(t);
  const client = await connect();
  client.socket.write('1');
  await until(() => client.text === '1');
  proxy.blackhole(true);
  client.socket.destroy();
  await until(() => client.isClosed);
  t.equal(proxy.connections(), 1, 'the other side still believes in it');
  proxy.blackhole(false);
  await until(() => proxy.connections() === 0);
});

t.test('a connection is cut after so many bytes, both directions together', async (t) => {
  const { proxy, connect } = await setUp(t);
  const client = await connect();
  client.socket.write('12345');
  await until(() => client.text === '12345');
  proxy.cutAfterBytes(8);
  // Five bytes there, three of them back.
  client.socket.write('abcde');
  await until(() => client.isClosed);
  t.equal(client.text, '12345abc');
  proxy.cutAfterBytes(undefined);
  const next = await connect();
  next.socket.write('1234567890');
  await until(() => next.text === '1234567890');
});

t.test('refused: no new connection, open ones stay; cutAll cuts them', async (t) => {
  const { proxy, connect } = await setUp(t);
  const client = await connect();
  await proxy.refuse(true);
  await proxy.refuse(true);
  await t.rejects(connect(), { code: 'ECONNREFUSED' });
  client.socket.write('a');
  await until(() => client.text === 'a');
  proxy.cutAll();
  await until(() => client.isClosed);
  await proxy.refuse(false);
  const next = await connect();
  next.socket.write('b');
  await until(() => next.text === 'b');
});

t.test('a target that is away closes the connection', async (t) => {
  const proxy = await startTcpProxy({ targetPort: await findFreePort() });
  t.teardown(() => proxy.close());
  const socket = netConnect(proxy.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'close');
  t.pass();
});
