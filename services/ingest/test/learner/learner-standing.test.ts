import { createInProcessBus } from '@bandit/bus';
import { forEachStore } from '@bandit/db/testing';
import { Registry } from 'prom-client';
import t from 'tap';
import { createLearnerMetrics, createLearnerRuntime } from '../../src/index.ts';
import { createAccept, send } from '../fixtures/learning.ts';
import { countingBytes, createWorld } from '../fixtures/world.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Looks again until it pleases; a slow machine is not a failure. */
async function until(look: () => Promise<boolean>): Promise<boolean> {
  const endsAt = performance.now() + 30_000;
  while (!(await look())) {
    if (performance.now() > endsAt) return false;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return true;
}

await t.test('what is learned and not on the stream is told, and no more once it is', async (t) => {
  await forEachStore(t, async (t, { open }) => {
    const db = open({ max: 6 });
    const world = await createWorld(db, 's1');
    await world.addExperiment({ id: 's1_e' });
    const inner = createInProcessBus({ log: silent });
    t.teardown(() => inner.close());
    let isConnected = false;
    const bus = { ...inner, isConnected: () => isConnected };
    const startMs = Date.now();
    // The database's clock runs ahead by an hour at once: what waits is old.
    let aheadMs = 0;
    const nowMs = () => Date.now() + aheadMs;
    const registry = new Registry();
    const runtime = createLearnerRuntime({
      db,
      bus,
      nowMs,
      log: silent,
      isShared: false,
      randomBytes: countingBytes('s1'),
      metrics: createLearnerMetrics(registry),
      pollMs: 20,
    });
    t.teardown(() => runtime.close());
    const read = async (name: string) =>
      (await registry.getSingleMetric(`bandit_learner_${name}`)!.get()).values[0]!.value;
    t.equal(await read('lag_seconds'), 0);
    t.equal(await read('look_age_seconds'), 0, 'before the first look there is nothing to tell');

    await runtime.start();
    const accept = createAccept(db, world, nowMs);
    for (const userId of ['a', 'b', 'c']) {
      const { id } = await world.assign({
        experimentId: 's1_e',
        treatmentId: 's1_e_a',
        userId,
        atMs: startMs,
      });
      await send(accept, 's1', { assignmentId: id, eventType: 'CONVERSION' });
    }
    t.equal(await read('partitions'), 16);
    aheadMs = 3_600_000;
    t.ok(
      await until(async () => (await read('unpublished_events')) === 3),
      'three events wait for the stream',
    );
    t.ok((await read('unpublished_seconds')) >= 3_500, 'the oldest for an hour');

    isConnected = true;
    t.ok(await until(async () => (await read('unpublished_events')) === 0), 'the stream is back');
    t.equal(await read('unpublished_seconds'), 0);
    t.ok(await until(async () => (await read('lag_seconds')) === 0), 'everything is learned');
    t.ok((await read('look_age_seconds')) < 60);

    await runtime.close();
    aheadMs = 7_200_000;
    t.ok((await read('look_age_seconds')) >= 3_500, 'nobody looks any more: that is told');
  });
});
