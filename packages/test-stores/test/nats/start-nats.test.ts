import { existsSync } from 'node:fs';
import { createConnection } from 'node:net';
import t from 'tap';
import { hasNatsServer, type NatsServer, startNats, startNatsCluster } from '../../src/index.ts';

const isRequired = process.env.CI_REQUIRE_STORES === '1';
const skip = hasNatsServer() || isRequired ? false : 'NATS is missing: no nats-server is installed here';
if (skip !== false) console.warn(`NOT TESTED: ${skip}`);

/** What the server says first to whoever connects. */
function readGreeting(server: NatsServer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(server.port, '127.0.0.1');
    socket.once('error', reject);
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
  });
}

async function storesOf(server: NatsServer): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${server.monitorPort}/jsz`);
  return ((await answer.json()) as { streams: number }).streams;
}

/** Makes a stream by the bare protocol, as no client is a dependency here. */
function makeStream(server: NatsServer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(server.port, '127.0.0.1');
    let heard = '';
    socket.once('error', reject);
    socket.on('data', (data) => {
      heard += data.toString();
      const answer = /MSG inbox 1 \d+\r\n(.*)\r\n/.exec(heard)?.[1];
      if (answer === undefined) return;
      socket.destroy();
      resolve(answer);
    });
    const config = JSON.stringify({ name: 'S', subjects: ['s'], storage: 'file' });
    const request = `PUB $JS.API.STREAM.CREATE.S inbox ${config.length}\r\n${config}\r\n`;
    socket.write(`CONNECT {"verbose":false}\r\nSUB inbox 1\r\n${request}`);
  });
}

t.test('a server is killed, restarted with what it kept, and restarted empty', { skip }, async (t) => {
  const server = await startNats();
  t.teardown(() => server.stop());
  t.match(await readGreeting(server), /"jetstream":true/);
  t.match(await makeStream(server), /"name":"S"/);
  const before = server.pid;
  await server.kill('SIGKILL');
  await t.rejects(readGreeting(server));
  await server.restart();
  t.not(server.pid, before);
  t.equal(await storesOf(server), 1, 'a stream outlives its server');
  await server.restart({ empty: true });
  t.equal(await storesOf(server), 0);
  await server.stop();
  t.notOk(existsSync(server.dir));
});

t.test('a stopped server is ended all the same', { skip }, async (t) => {
  const server = await startNats({ hasJetStream: false, user: { name: 'u', password: 'p' } });
  t.teardown(() => server.stop());
  t.match(await readGreeting(server), /"auth_required":true/);
  await server.kill('SIGSTOP');
  await server.kill('SIGTERM');
  await t.rejects(readGreeting(server));
});

t.test('a cluster of three has a leader that every server follows', { skip }, async (t) => {
  const cluster = await startNatsCluster(3);
  t.teardown(() => cluster.stop());
  t.equal(cluster.url.split(',').length, 3);
  await cluster.servers[0]!.kill('SIGKILL');
  await cluster.servers[0]!.restart();
  await cluster.waitUntilWhole();
  for (const server of cluster.servers) t.match(await readGreeting(server), /"cluster":"test"/);
});
