/** Three servers, three replicas: the loss of any one is a short pause. */
import { startNatsCluster } from '@bandit/test-stores';
import t from 'tap';
import { until } from '../until.ts';
import {
  decode,
  encode,
  numbered,
  openConnectedBus,
  publishUntilStored,
  skipWithoutServer as skip,
} from './own-nats.ts';
import { readStream } from './shared-nats.ts';

t.setTimeout(590_000);

t.test('acknowledged events and records outlive each server in turn', { skip }, async (t) => {
  const cluster = await startNatsCluster(3);
  t.teardown(() => cluster.stop());
  const { records, nats, errors } = await openConnectedBus(t, cluster.url, { replicas: 3 });
  const putUntilKept = (id: string) =>
    until(
      () =>
        records.put({ id, payload: encode(id) }, 5_000).then(
          () => true,
          () => false,
        ),
      'a kept record',
    );
  const got = new Set<string>();
  await nats.bus.subscribe('state.*', (_, payload) => void got.add(decode(payload)));
  await publishUntilStored(nats, numbered(100, 'start'));
  await putUntilKept('start');
  for (const [round, server] of cluster.servers.entries()) {
    await server.kill('SIGKILL');
    await publishUntilStored(nats, numbered(100, `round${round}-`));
    await putUntilKept(`round${round}`);
    await until(() => {
      nats.bus.publish('state.a', encode(`round${round}`));
      return got.has(`round${round}`);
    }, 'a broadcast');
    await server.restart();
    await cluster.waitUntilWhole();
  }
  const stored = await readStream(cluster.url.split(',')[0]!, 'EVENTS');
  const expected = ['start', 'round0-', 'round1-', 'round2-'].flatMap((name) => numbered(100, name));
  t.strictSame(new Set(stored.map(({ text }) => text)), new Set(expected));
  t.equal(stored.length, expected.length, 'each once');
  const brought = new Set<string>();
  await records.drain(
    async (payloads) => {
      for (const payload of payloads) brought.add(decode(payload));
    },
    () => true,
  );
  await until(() => brought.size === 4, 'every record');
  t.strictSame(errors, []);
});
