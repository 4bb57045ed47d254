/** The users of nats.conf against a live server: what each must be able to do, and what it is refused. */
import { AckPolicy, connect, type NatsConnection, StorageType } from 'nats';
import t, { type Test } from 'tap';
import { hasProgram } from '../../lint/start-server.ts';
import { type NatsUser, natsPassword, natsUsers, startShippedNats } from './start-shipped-nats.ts';

t.setTimeout(120_000);

const users = natsUsers;
type User = NatsUser;

async function testUsers(t: Test): Promise<void> {
  const open = await openClients(t);
  await t.test('without a password nobody gets in', async (t) => {
    await t.rejects(open('' as User), /Authorization/i);
  });
  const clients = Object.fromEntries(
    await Promise.all(users.map(async (user) => [user, await open(user)] as const)),
  ) as Record<User, NatsConnection>;
  await t.test('each may publish what it must and nothing else', (t) => testPublish(t, clients));
  await t.test('each may subscribe to what it must and nothing else', (t) => testSubscribe(t, clients));
  await t.test('the learner answers a refresh', (t) => testRequest(t, clients));
  await t.test('events reach the stream and its readers', (t) => testEvents(t, clients));
  await t.test('records are kept and brought in by assignment alone', (t) => testRecords(t, clients));
}

async function openClients(t: Test): Promise<(user: User) => Promise<NatsConnection>> {
  const port = await startShippedNats(t);
  return async (user) => {
    const client = await connect({
      servers: `127.0.0.1:${port}`,
      ...(user === ('' as User) ? {} : { user, pass: natsPassword(user) }),
      reconnect: false,
    });
    t.teardown(() => client.close());
    return client;
  };
}

const published = {
  'state.exp_1': ['learner'],
  'config.cmp_1': ['management'],
  'erased.cmp_1': ['management'],
  'wake.3': ['assignment', 'ingest', 'management'],
  'learner.refresh': ['management'],
  'events.cmp_1': ['learner'],
  records: ['assignment'],
  '$JS.API.STREAM.INFO.RECORDS': ['assignment', 'ingest', 'management'],
  '$JS.API.CONSUMER.INFO.RECORDS.recorders': ['assignment', 'ingest', 'management'],
  '$JS.API.CONSUMER.MSG.NEXT.RECORDS.recorders': ['assignment'],
  '$JS.API.STREAM.DELETE.EVENTS': [],
  '$JS.API.STREAM.PURGE.EVENTS': [],
  '$JS.API.STREAM.DELETE.RECORDS': [],
  '$JS.API.STREAM.PURGE.RECORDS': ['assignment'],
  '$JS.API.STREAM.MSG.DELETE.EVENTS': [],
  '$JS.API.STREAM.MSG.GET.RECORDS': [],
  '$JS.API.STREAM.CREATE.OTHER': [],
  '$JS.API.CONSUMER.DELETE.RECORDS.other': [],
  '$SYS.REQ.SERVER.PING': [],
  anything: [],
} as const;

const subscribed = {
  'state.*': ['assignment'],
  'config.*': ['assignment', 'ingest', 'learner', 'management'],
  'erased.*': ['assignment'],
  'wake.*': ['learner'],
  'learner.refresh': ['learner'],
  'events.*': ['reader'],
  records: [],
  '$JS.API.>': [],
  '$SYS.>': [],
  '>': [],
} as const;

async function testPublish(t: Test, clients: Record<User, NatsConnection>): Promise<void> {
  for (const [subject, allowed] of Object.entries(published)) {
    const able: User[] = [];
    for (const user of users) {
      const refusals = await refusalsOf(clients[user], () => clients[user].publish(subject, ''));
      if (!refusals.some((refusal) => refusal.includes(`Publish to "${subject}"`))) able.push(user);
    }
    t.strictSame(able, allowed, `publish ${subject}`);
  }
}

async function testSubscribe(t: Test, clients: Record<User, NatsConnection>): Promise<void> {
  for (const [subject, allowed] of Object.entries(subscribed)) {
    const able: User[] = [];
    for (const user of users) {
      const refusals = await refusalsOf(clients[user], () => {
        clients[user].subscribe(subject, { max: 1, callback: () => undefined });
      });
      if (!refusals.some((refusal) => refusal.includes(`Subscription to "${subject}"`))) able.push(user);
    }
    t.strictSame(able, allowed, `subscribe ${subject}`);
  }
}

/** The server reports what it refuses before it answers the flush that follows. */
async function refusalsOf(client: NatsConnection, attempt: () => void): Promise<string[]> {
  const refusals: string[] = [];
  const statuses = client.status();
  const listening = (async () => {
    for await (const { type, permissionContext } of statuses as AsyncIterable<{
      type: string;
      permissionContext?: { operation: string; subject: string };
    }>) {
      if (type === 'error' && permissionContext !== undefined)
        refusals.push(
          `${permissionContext.operation === 'publish' ? 'Publish' : 'Subscription'} to "${permissionContext.subject}"`,
        );
    }
  })();
  attempt();
  await client.flush();
  await client.flush();
  (statuses as unknown as { stop(): void }).stop();
  await listening;
  return refusals;
}

async function testRequest(t: Test, { learner, management }: Record<User, NatsConnection>): Promise<void> {
  learner.subscribe('learner.refresh', { callback: (_error, message) => void message.respond('rebuilt') });
  await learner.flush();
  const answer = await management.request('learner.refresh', 'exp_1', { timeout: 10_000 });
  t.equal(answer.string(), 'rebuilt');
}

async function testEvents(t: Test, { learner, reader, ingest }: Record<User, NatsConnection>): Promise<void> {
  const manager = await learner.jetstreamManager();
  await manager.streams.add({ name: 'EVENTS', subjects: ['events.*'], storage: StorageType.File });
  const ack = await learner.jetstream().publish('events.cmp_1', 'fact', { msgID: 'evt_1' });
  t.equal(ack.seq, 1);
  const readerManager = await reader.jetstreamManager();
  await readerManager.consumers.add('EVENTS', { durable_name: 'warehouse', ack_policy: AckPolicy.Explicit });
  const consumer = await reader.jetstream().consumers.get('EVENTS', 'warehouse');
  const message = await consumer.next({ expires: 10_000 });
  t.equal(message?.string(), 'fact');
  t.equal(await message?.ackAck(), true);
  await t.rejects(
    (await ingest.jetstreamManager()).consumers.info('EVENTS', 'warehouse'),
    'ingest reads no events',
  );
}

async function testRecords(t: Test, { assignment, reader }: Record<User, NatsConnection>): Promise<void> {
  const manager = await assignment.jetstreamManager();
  await manager.streams.add({ name: 'RECORDS', subjects: ['records'], storage: StorageType.File });
  await assignment.jetstream().publish('records', 'row', { msgID: 'nonce' });
  await manager.consumers.add('RECORDS', {
    durable_name: 'drain',
    ack_policy: AckPolicy.Explicit,
    max_deliver: -1,
  });
  const consumer = await assignment.jetstream().consumers.get('RECORDS', 'drain');
  const message = await consumer.next({ expires: 10_000 });
  t.equal(message?.string(), 'row');
  t.equal(await message?.ackAck(), true);
  const attempt = (await reader.jetstreamManager()).consumers.add('RECORDS', {
    durable_name: 'spy',
    ack_policy: AckPolicy.Explicit,
  });
  await t.rejects(attempt, 'a reader of events reads no records');
}

if (hasProgram('nats-server')) await t.test('users of nats.conf', testUsers);
else if (process.env.CI_REQUIRE_STORES === '1')
  t.fail('CI_REQUIRE_STORES=1, but nats-server is not installed');
else {
  console.warn('NOT TESTED: the permissions of nats.conf, as nats-server is not installed here');
  t.test('users of nats.conf', { skip: 'nats-server is not installed here' }, async () => undefined);
}
