/** What the server may refuse, and streams that are there already. */
import { connect, StorageType } from 'nats';
import t, { type Test } from 'tap';
import { until } from '../until.ts';
import {
  decode,
  encode,
  event,
  numbered,
  openBus,
  openConnectedBus,
  skipWithoutServer as skip,
  startOwnNats,
} from './own-nats.ts';
import { readStream } from './shared-nats.ts';

t.setTimeout(240_000);

async function openManager(t: Test, port: number) {
  const connection = await connect({ servers: `127.0.0.1:${port}` });
  t.teardown(() => connection.close());
  return connection.jetstreamManager();
}

t.test('credentials are used, and never said', { skip }, async (t) => {
  const server = await startOwnNats(t, { user: { name: 'bandit', password: 'right-s3cr3t' } });
  const { bus, lines: linesOfRight } = await openConnectedBus(t, server.url);
  t.ok(bus.isConnected());
  const wrong = openBus(t, server.url.replace('right', 'wrong'));
  await until(() => wrong.lines.length > 0, 'a line about the refusal');
  t.match(wrong.lines, [{ level: 'warn', details: { reason: /Authorization Violation/ } }]);
  t.notOk(wrong.bus.isConnected());
  t.notMatch(JSON.stringify([...linesOfRight, ...wrong.lines]), /s3cr3t/);
});

t.test('what the server forbids is said once, and the rest works', { skip }, async (t) => {
  const permissions = 'permissions { publish: ["wake.*", "_INBOX.>"], subscribe: ["wake.*", "_INBOX.>"] }';
  const users = [`{ user: "bandit", password: "s3cr3t", ${permissions} }`];
  const server = await startOwnNats(t, { settings: [`authorization { users: [${users.join()}] }`] });
  const url = `nats://bandit:s3cr3t@127.0.0.1:${server.port}`;
  const { bus, errors } = await openConnectedBus(t, url);
  bus.publish('state.a', encode('x'));
  bus.publish('state.b', encode('x'));
  await until(() => errors.length > 0, 'a line in the log');
  await bus.subscribe('config.*', () => undefined);
  const { promise: heard, resolve } = Promise.withResolvers<void>();
  await bus.subscribe('wake.*', () => resolve());
  bus.publish('wake.1', encode('x'));
  await heard;
  t.strictSame(errors, ['NATS forbids what this process does', 'NATS does not let us listen']);
  await t.rejects(bus.publishEvents([event('e')]), {
    code: 'BUS_REFUSED',
    message: /Permissions Violation/i,
  });
});

t.test(
  'a server without JetStream carries broadcasts, and says clearly what it lacks',
  { skip },
  async (t) => {
    const server = await startOwnNats(t, { hasJetStream: false });
    const { bus, records, lines } = await openConnectedBus(t, server.url);
    const refused = { code: 'BUS_REFUSED', message: /JetStream is not enabled/ };
    await t.rejects(bus.publishEvents([event('e')]), refused);
    await t.rejects(bus.publishEvents([event('e')]), refused);
    await t.rejects(records.put({ id: 'r', payload: encode('r') }, 5_000), refused);
    const complaints = lines.filter(({ level }) => level === 'error');
    t.match(complaints, [
      { details: { stream: 'EVENTS', reason: /JetStream is not enabled/ } },
      { details: { stream: 'RECORDS' } },
    ]);
    t.equal(complaints.length, 2, 'once a stream');
    const { promise: heard, resolve } = Promise.withResolvers<void>();
    await bus.subscribe('state.a', () => resolve());
    bus.publish('state.a', encode('x'));
    await heard;
  },
);

t.test('a stream with other limits is changed, with other storage reported', { skip }, async (t) => {
  const server = await startOwnNats(t);
  const manager = await openManager(t, server.port);
  await manager.streams.add({ name: 'EVENTS', subjects: ['events.*'], max_bytes: 1_000_000 });
  await manager.streams.add({ name: 'RECORDS', subjects: ['records'], storage: StorageType.Memory });
  const options = { eventsBytesMax: 2_000_000, recordsBytesMax: 3_000_000 };
  const { bus, records, lines } = await openConnectedBus(t, server.url, options);
  await bus.publishEvents([event('e')]);
  await records.put({ id: 'r', payload: encode('r') }, 5_000);
  const { config } = await manager.streams.info('EVENTS');
  t.match(config, { max_bytes: 2_000_000, discard: 'new', max_age: 604_800e9, duplicate_window: 120e9 });
  t.match(
    lines.filter(({ level }) => level === 'warn'),
    [{ details: { stream: 'RECORDS', isOnDisk: false } }],
  );
  t.equal((await manager.streams.info('RECORDS')).config.max_bytes, 3_000_000);
});

t.test('more replicas than servers are refused in words', { skip }, async (t) => {
  const server = await startOwnNats(t);
  const three = await openConnectedBus(t, server.url, { replicas: 3 });
  await t.rejects(three.bus.publishEvents([event('e')]), {
    code: 'BUS_REFUSED',
    message: /the stream EVENTS cannot be made: replicas > 1 not supported/,
  });
});

t.test(
  'a change that the server refuses is reported, and the stream used as it stands',
  { skip },
  async (t) => {
    const server = await startOwnNats(t);
    const small = await openConnectedBus(t, server.url);
    await small.bus.publishEvents([event('e')]);
    // More than the server may keep (4 GB).
    const large = await openConnectedBus(t, server.url, { eventsBytesMax: 8_000_000_000 });
    await large.bus.publishEvents([event('f')]);
    t.match(
      large.lines.filter(({ level }) => level === 'warn'),
      [{ message: 'NATS does not let us change a stream', details: { wanted: { bytesMax: 8_000_000_000 } } }],
    );
    t.strictSame(
      (await readStream(server.url, 'EVENTS')).map(({ text }) => text),
      ['e', 'f'],
    );
  },
);

t.test('what is too large is dropped or refused, and harms nobody', { skip }, async (t) => {
  const server = await startOwnNats(t);
  const { bus, records, nBroadcastsDropped } = await openConnectedBus(t, server.url);
  const huge = new Uint8Array(2_000_000);
  t.doesNotThrow(() => bus.publish('state.a', huge));
  t.equal(nBroadcastsDropped(), 1);
  const tooLarge = { code: 'BUS_REFUSED', message: /MAX_PAYLOAD_EXCEEDED/ };
  await t.rejects(bus.publishEvents([{ id: 'e', subject: 'events.c', payload: huge }]), tooLarge);
  await t.rejects(records.put({ id: 'r', payload: huge }, 5_000), tooLarge);
  await t.rejects(bus.request('learner.refresh', huge, 5_000), tooLarge);
  await bus.respond('learner.refresh', async () => huge);
  await t.rejects(bus.request('learner.refresh', encode(''), 5_000), { code: 'BUS_RESPONDER_FAILED' });
  t.ok(bus.isConnected());
  await bus.publishEvents([event('e')]);
});

t.test('a subject that would break the protocol is never sent', { skip }, async (t) => {
  const server = await startOwnNats(t);
  const { bus, nBroadcastsDropped } = await openConnectedBus(t, server.url);
  for (const subject of ['', 'a b', 'a\r\nPING', 'a.*', '>', 'a..b']) bus.publish(subject, encode('x'));
  t.equal(nBroadcastsDropped(), 6);
  await t.rejects(bus.request('a b', encode('x'), 5_000), /a subject is tokens joined by dots/);
  t.ok(bus.isConnected());
});

t.test('a responder works on many requests at once, and refuses what is too much', { skip }, async (t) => {
  const server = await startOwnNats(t);
  const { bus } = await openConnectedBus(t, server.url);
  const asker = await openConnectedBus(t, server.url);
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  let nStarted = 0;
  await bus.respond('learner.refresh', async (payload) => {
    nStarted += 1;
    await gate;
    return payload;
  });
  const requests = numbered(65, 'q').map((id) => asker.bus.request('learner.refresh', encode(id), 30_000));
  const outcomes = Promise.allSettled(requests);
  await until(() => nStarted === 64, 'as many as may run');
  await t.rejects(requests[64]!, { code: 'BUS_UNAVAILABLE', message: /too much to do/ });
  open();
  const answers = await outcomes;
  t.strictSame(
    answers.flatMap((answer) => (answer.status === 'fulfilled' ? [decode(answer.value)] : [])),
    numbered(64, 'q'),
  );
});
