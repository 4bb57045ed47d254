import { limits } from '@bandit/contracts';
import { createTestDatabase } from '@bandit/db/testing';
import t from 'tap';
import { createManagementRuntime } from '../../src/index.ts';
import { createScheduler } from '../../src/scheduler/scheduler.ts';
import { createHarness } from '../harness.ts';

t.test('scheduler', async (t) => {
  const harness = await createHarness(t, await createTestDatabase(t));
  const { clock, deps } = harness;
  const tenant = await harness.tenant();
  const warnings: string[] = [];
  const log = { info: () => undefined, warn: (_: object, message: string) => void warnings.push(message) };
  const scheduler = createScheduler({ ...deps, log });
  t.afterEach(() => {
    clock.aheadMs = 0;
  });

  const endingIn = async (ms: number) => {
    const { id } = await tenant.activeExperiment();
    const endAt = new Date(deps.nowMs() + ms).toISOString();
    await tenant.call('PUT', `/experiments/${id}`, { endAt });
    return id;
  };
  const statusOf = async (id: string) => (await tenant.call('GET', `/experiments/${id}`)).body.data.status;

  await t.test('the poll is short enough for "within 2 s"', async (t) => {
    t.ok(limits.schedulerPollMs * 2 <= 2_000);
  });

  await t.test('an experiment is completed once its end has come, not before', async (t) => {
    const id = await endingIn(60_000);
    t.equal(await scheduler.look(), 0);
    t.equal(await statusOf(id), 'active');
    clock.aheadMs = 60_000;
    t.equal(await scheduler.look(), 1);
    t.equal(await statusOf(id), 'completed');
    t.equal(await scheduler.look(), 0, 'once');
    const { body } = await tenant.call('GET', '/audit-log?limit=1');
    t.match(body.data[0], { actor: 'scheduler', action: 'experiment.end', target: id });
  });

  await t.test(
    'a paused one is completed too; draft, archived and endless ones are left alone',
    async (t) => {
      const paused = await endingIn(1_000);
      await tenant.call('PUT', `/experiments/${paused}`, { status: 'paused' });
      const archived = await endingIn(1_000);
      await tenant.call('PUT', `/experiments/${archived}`, { status: 'archived' });
      const draft = (await tenant.experiment()).id;
      const endAt = new Date(deps.nowMs() + 1_000).toISOString();
      await tenant.call('PUT', `/experiments/${draft}`, { endAt });
      const endless = (await tenant.activeExperiment()).id;
      clock.aheadMs = 10_000;
      t.equal(await scheduler.look(), 1);
      t.same(await Promise.all([paused, archived, draft, endless].map(statusOf)), [
        'completed',
        'archived',
        'draft',
        'active',
      ]);
    },
  );

  await t.test('all that fell due during a downtime, of every company, is found at the start', async (t) => {
    const other = await harness.tenant();
    const ids = [await endingIn(1_000), await endingIn(2_000), await endingIn(3_000)];
    const { id } = await other.activeExperiment();
    await other.call('PUT', `/experiments/${id}`, { endAt: new Date(deps.nowMs() + 500).toISOString() });
    clock.aheadMs = 3_600_000;
    const published: string[] = [];
    const subscription = await harness.bus.subscribe('config.*', (subject) => void published.push(subject));
    t.equal(await createScheduler({ ...deps, log }).look(), 4);
    for (const own of ids) t.equal(await statusOf(own), 'completed');
    await subscription.close();
    t.ok(published.includes(`config.${other.companyId}`), 'the change reaches every process');
  });

  await t.test('two schedulers complete each experiment once', async (t) => {
    await Promise.all([endingIn(1_000), endingIn(1_000), endingIn(1_000)]);
    clock.aheadMs = 10_000;
    const second = createScheduler({ ...deps, log });
    const [one, two] = await Promise.all([scheduler.look(), second.look()]);
    t.equal(one + two, 3);
  });

  await t.test('a database that is away is reported once, and the next look works', async (t) => {
    const id = await endingIn(1_000);
    clock.aheadMs = 10_000;
    let isAway = true;
    const db = new Proxy(deps.db, {
      get: (target, name) => {
        if (isAway) throw new Error('away');
        const value = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const unlucky = createScheduler({ ...deps, db, log });
    t.equal(await unlucky.look(), 0);
    t.equal(await unlucky.look(), 0);
    t.equal(warnings.length, 1);
    isAway = false;
    t.equal(await unlucky.look(), 1);
    t.equal(await statusOf(id), 'completed');
  });

  await t.test('the runtime looks at once when started, and close waits for the look', async (t) => {
    const id = await endingIn(1_000);
    clock.aheadMs = 10_000;
    const runtime = createManagementRuntime({ ...deps, log });
    runtime.start();
    await runtime.close();
    t.equal(await statusOf(id), 'completed');
  });
});
