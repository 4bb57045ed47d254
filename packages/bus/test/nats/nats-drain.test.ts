/** The RECORDS stream where servers and consumers die. */
import { limits } from '@bandit/contracts';
import t from 'tap';
import { until } from '../until.ts';
import {
  decode,
  encode,
  numbered,
  openConnectedBus,
  skipWithoutServer as skip,
  startOwnNats,
  untilAway,
} from './own-nats.ts';

t.setTimeout(240_000);

t.test('a drain loses nothing when its server is killed under it', { skip }, async (t) => {
  const server = await startOwnNats(t);
  const { records, nats } = await openConnectedBus(t, server.url);
  const ids = numbered(1_000, 'r');
  await Promise.all(ids.map((id) => records.put({ id, payload: encode(id) }, 10_000)));
  const brought = new Set<string>();
  let nGroups = 0;
  await records.drain(
    async (payloads) => {
      nGroups += 1;
      for (const payload of payloads) brought.add(decode(payload));
      // In the middle of a group: its acknowledgements find nobody.
      if (nGroups === 2) await server.kill('SIGKILL');
    },
    () => true,
  );
  await until(() => nGroups >= 2, 'two groups');
  await untilAway(nats);
  t.ok(brought.size < ids.length);
  await server.restart();
  await until(() => brought.size === ids.length, 'every record');
  await until(() => records.nKept() === 0, 'nothing kept');
});

t.test('the group of a process that died goes to another', { skip }, async (t) => {
  const server = await startOwnNats(t);
  const dying = await openConnectedBus(t, server.url);
  const living = await openConnectedBus(t, server.url);
  for (const id of numbered(10, 'r')) await living.records.put({ id, payload: encode(id) }, 5_000);
  const { promise: taken, resolve: take } = Promise.withResolvers<void>();
  let mayEnd: () => void = () => undefined;
  await dying.records.drain(
    () => {
      take();
      return new Promise((resolve) => {
        mayEnd = resolve;
      });
    },
    () => true,
  );
  await taken;
  // Its connection is gone, its handler never ends: as good as dead to the server.
  await dying.close();
  const brought: string[] = [];
  await living.records.drain(
    async (payloads) => void brought.push(...payloads.map(decode)),
    () => true,
  );
  await until(() => brought.length >= 10, 'the group');
  t.strictSame(brought, numbered(10, 'r'));
  mayEnd();
});

t.test(
  'a handler that takes longer than the wait for its acknowledgement keeps its group',
  { skip },
  async (t) => {
    const server = await startOwnNats(t);
    const slow = await openConnectedBus(t, server.url);
    const other = await openConnectedBus(t, server.url);
    await slow.records.put({ id: 'r', payload: encode('r') }, 5_000);
    const { promise: taken, resolve: take } = Promise.withResolvers<void>();
    let hasEnded = false;
    await slow.records.drain(
      async () => {
        take();
        await new Promise((resolve) => setTimeout(resolve, limits.recordsAckWaitMs + 4_000));
        hasEnded = true;
      },
      () => true,
    );
    await taken;
    const stolen: string[] = [];
    await other.records.drain(
      async (payloads) => void stolen.push(...payloads.map(decode)),
      () => true,
    );
    await until(() => hasEnded && slow.records.nKept() === 0, 'the end of the slow handler');
    t.strictSame(stolen, []);
  },
);
