/** NATS goes away, hangs, comes back, comes back empty, is full: on a server of the test's own. */

import { findFreePort } from '@bandit/test-stores';
import { connect } from 'nats';
import t from 'tap';
import { until } from '../until.ts';
import {
  decode,
  encode,
  event,
  numbered,
  openBus,
  openConnectedBus,
  publishUntilStored,
  skipWithoutServer as skip,
  startOwnNats,
  untilAway,
  untilConnected,
} from './own-nats.ts';
import { readStream } from './shared-nats.ts';

t.setTimeout(240_000);

t.test('a process starts without NATS, and everything is live once it appears', { skip }, async (t) => {
  const port = await findFreePort();
  const { bus, records, nats, lines, nBroadcastsDropped } = openBus(t, `nats://127.0.0.1:${port}`);
  const got: string[] = [];
  await bus.subscribe('state.*', (subject, payload) => {
    got.push(`${subject}=${decode(payload)}`);
  });
  await bus.respond('learner.refresh', async (payload) => payload);
  t.notOk(bus.isConnected());
  for (let i = 0; i < 10_000; i += 1) bus.publish('state.a', encode('lost'));
  t.equal(nBroadcastsDropped(), 10_000);
  await t.rejects(bus.request('learner.refresh', encode(''), 60_000), { code: 'BUS_UNAVAILABLE' }, 'at once');
  await t.rejects(bus.publishEvents([event('e')]), { code: 'BUS_UNAVAILABLE' });
  await t.rejects(records.put({ id: 'r', payload: encode('r') }, 60_000), { code: 'BUS_UNAVAILABLE' });
  t.equal(records.nKept(), undefined);
  await t.rejects(records.isDrained(60_000), { code: 'BUS_UNAVAILABLE' }, 'nobody can tell');
  await until(() => lines.some(({ message }) => message.startsWith('NATS is away')), 'a line in the log');

  const server = await startOwnNats(t, { port });
  await untilConnected(nats);
  t.equal(decode(await bus.request('learner.refresh', encode('x'), 5_000)), 'x');
  bus.publish('state.a', encode('1'));
  await until(() => got.length > 0, 'a broadcast');
  t.strictSame(got, ['state.a=1']);
  await bus.publishEvents([event('e')]);
  await records.put({ id: 'r', payload: encode('r') }, 5_000);
  t.strictSame(
    (await readStream(server.url, 'EVENTS')).map(({ text }) => text),
    ['e'],
  );
  await until(() => records.nKept() === 1, 'the count');
  const messages = lines.map(({ message }) => message);
  t.equal(messages.filter((message) => message.startsWith('NATS is away')).length, 1, 'said once');
  t.equal(messages.filter((message) => message === 'NATS is back').length, 1, 'said once');
  t.match(lines, [{ message: 'broadcasts are dropped' }]);
  t.match(
    lines.find(({ message }) => message === 'broadcasts are sent again'),
    { details: { nDropped: 10_000 } },
  );
});

t.test(
  'after kill -9 and a restart all that was acknowledged is there, and all is live',
  { skip },
  async (t) => {
    const server = await startOwnNats(t);
    const { bus, records, nats } = await openConnectedBus(t, server.url);
    const got: string[] = [];
    await bus.subscribe('wake.*', (_, payload) => {
      got.push(decode(payload));
    });
    await bus.respond('learner.refresh', async () => encode('done'));
    const ids = numbered(500, 'e');
    await bus.publishEvents(ids.map(event));
    for (const id of numbered(20, 'r')) await records.put({ id, payload: encode(id) }, 5_000);
    const waiting = bus.request('nobody.answers', encode(''), 60_000);
    const refused = t.rejects(waiting);
    await server.kill('SIGKILL');
    await refused;
    await untilAway(nats);
    await t.rejects(bus.publishEvents([event('lost')]), { code: 'BUS_UNAVAILABLE' });
    await server.restart();
    await untilConnected(nats);
    t.equal(decode(await bus.request('learner.refresh', encode(''), 5_000)), 'done');
    bus.publish('wake.1', encode('awake'));
    await until(() => got.length > 0, 'a broadcast');
    // The learner repeats the batch behind its cursor: nothing is stored twice.
    await publishUntilStored(nats, [...ids.slice(400), 'new']);
    const stored = await readStream(server.url, 'EVENTS');
    t.strictSame(
      stored.map(({ text }) => text),
      [...ids, 'new'],
    );
    const brought: string[] = [];
    await records.drain(
      async (payloads) => void brought.push(...payloads.map(decode)),
      () => true,
    );
    await until(() => brought.length >= 20, 'the records');
    t.strictSame(brought, numbered(20, 'r'));
  },
);

t.test('a NATS that comes back empty gets its streams and consumer again', { skip }, async (t) => {
  const server = await startOwnNats(t);
  const { bus, records, nats } = await openConnectedBus(t, server.url);
  const brought: string[] = [];
  await records.drain(
    async (payloads) => void brought.push(...payloads.map(decode)),
    () => true,
  );
  await bus.publishEvents([event('before')]);
  await records.put({ id: 'r1', payload: encode('r1') }, 5_000);
  await until(() => brought.length === 1, 'the first record');
  await server.restart({ empty: true });
  await untilConnected(nats);
  await publishUntilStored(nats, ['after']);
  t.strictSame(
    (await readStream(server.url, 'EVENTS')).map(({ text }) => text),
    ['after'],
  );
  const isPut = () =>
    records.put({ id: 'r2', payload: encode('r2') }, 5_000).then(
      () => true,
      () => false,
    );
  await until(isPut, 'a record kept again');
  await until(() => brought.includes('r2'), 'a record brought in again');
  await until(() => records.nKept() === 0, 'nothing kept');

  // The same with the connection up: somebody deletes them.
  const connection = await connect({ servers: `127.0.0.1:${server.port}` });
  t.teardown(() => connection.close());
  const manager = await connection.jetstreamManager();
  for (const stream of ['EVENTS', 'RECORDS']) await manager.streams.delete(stream);
  await publishUntilStored(nats, ['again']);
  t.strictSame(
    (await readStream(server.url, 'EVENTS')).map(({ text }) => text),
    ['again'],
  );
  const isPutAgain = () =>
    records.put({ id: 'r3', payload: encode('r3') }, 5_000).then(
      () => true,
      () => false,
    );
  await until(isPutAgain, 'a record kept again');
  await until(() => brought.includes('r3'), 'a record brought in again');
});

t.test(
  'a server that hangs is noticed, memory stays bounded, and all works when it goes on',
  { skip },
  async (t) => {
    const server = await startOwnNats(t);
    const { bus, records, nats, nBroadcastsDropped } = await openConnectedBus(t, server.url);
    await bus.publishEvents([event('e1')]);
    await records.put({ id: 'r1', payload: encode('r1') }, 5_000);
    const got: string[] = [];
    await bus.subscribe('config.*', (_, payload) => {
      got.push(decode(payload));
    });
    await server.kill('SIGSTOP');
    const stoppedAt = performance.now();
    const events = t.rejects(bus.publishEvents([event('e2')]), { code: /BUS_TIMEOUT|BUS_UNAVAILABLE/ });
    const put = t.rejects(records.put({ id: 'r2', payload: encode('r2') }, 15), { code: 'BUS_TIMEOUT' });
    await put;
    t.ok(performance.now() - stoppedAt < 2_000, 'an answer does not wait for a server that hangs');
    // 256 KB each, 128 MB in all: a quarter is sent, the rest must not be kept.
    const state = new Uint8Array(262_144);
    for (let i = 0; i < 512; i += 1) bus.publish('state.a', state);
    t.ok(nBroadcastsDropped() >= 380, `dropped ${nBroadcastsDropped()}`);
    await events;
    await untilAway(nats);
    const noticedMs = performance.now() - stoppedAt;
    t.comment(`noticed after ${Math.round(noticedMs)} ms`);
    t.ok(noticedMs < 30_000);
    await server.kill('SIGCONT');
    await untilConnected(nats);
    await publishUntilStored(nats, ['e2', 'e3']);
    const stored = await readStream(server.url, 'EVENTS');
    t.strictSame(
      stored.map(({ text }) => text),
      ['e1', 'e2', 'e3'],
      'sent before and repeated: stored once',
    );
    await until(() => {
      bus.publish('config.c', encode('there'));
      return got.length > 0;
    }, 'a broadcast');
  },
);

t.test('a full stream refuses, says so, and takes events again once there is room', { skip }, async (t) => {
  const server = await startOwnNats(t);
  const { bus } = await openConnectedBus(t, server.url, { eventsBytesMax: 65_536 });
  const big = (id: string) => ({ id, subject: 'events.c', payload: new Uint8Array(8_192) });
  const batch = numbered(20, 'b').map(big);
  await t.rejects(bus.publishEvents(batch), {
    code: 'BUS_REFUSED',
    message: /NATS refuses the stream EVENTS: maximum bytes exceeded/,
  });
  const nStored = (await readStream(server.url, 'EVENTS')).length;
  t.ok(nStored > 0 && nStored < 20, `${nStored} fit`);
  const connection = await connect({ servers: `127.0.0.1:${server.port}` });
  t.teardown(() => connection.close());
  await (await connection.jetstreamManager()).streams.purge('EVENTS');
  await bus.publishEvents([event('small')]);
  t.strictSame(
    (await readStream(server.url, 'EVENTS')).map(({ text }) => text),
    ['small'],
  );
});
