import { Registry } from 'prom-client';
import t from 'tap';
import { registerStoreMetrics } from '../src/index.ts';
import { addItemRoutes, openServer } from './test-server.ts';

const readValue = async (registry: Registry, name: string, labels: Record<string, string>) => {
  const metric = await registry.getSingleMetric(name)?.get();
  const found = metric?.values.find(({ labels: own }) =>
    Object.entries(labels).every(([label, value]) => own[label] === value),
  );
  return found?.value;
};

t.test('failures are counted by code, refusals by what refused', async (t) => {
  const registry = new Registry();
  const rateLimits = { perPeer: 3, perCaller: 0, callerOf: () => undefined };
  const app = await openServer({ registry, rateLimits });
  t.teardown(() => app.close());
  addItemRoutes(app);
  const refused = () => readValue(registry, 'bandit_http_refused_requests_total', { reason: 'peer_rate' });
  t.equal(await refused(), 0, 'there from the start');
  // The clock stands: three of five are taken from one peer.
  for (const url of ['/items/a', '/items/a?limit=0', '/items/b?limit=0', '/items/a', '/items/a'])
    await app.inject(url);
  t.equal(await refused(), 2);
  const errors = (code: string) => readValue(registry, 'bandit_http_errors_total', { service: 'test', code });
  t.equal(await errors('VALIDATION_ERROR'), 2);
  t.equal(await errors('RATE_LIMITED'), 2);
  t.equal(await errors('INTERNAL_ERROR'), undefined);
});

t.test('requests under way and what runs are told', async (t) => {
  const registry = new Registry();
  const app = await openServer({ registry });
  t.teardown(() => app.close());
  const started = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  app.get('/slow', { schema: { operationId: 'slow' } }, async () => {
    started.resolve();
    await release.promise;
    return {};
  });
  const inFlight = () => readValue(registry, 'bandit_http_in_flight_requests', { service: 'test' });
  t.equal(await inFlight(), 0);
  const answer = app.inject('/slow');
  await started.promise;
  t.equal(await inFlight(), 1);
  release.resolve();
  await answer;
  t.equal(await inFlight(), 0);
  t.equal(await readValue(registry, 'bandit_build_info', { version: '1.2.3', service: 'test' }), 1);
  const delay = await readValue(registry, 'bandit_http_event_loop_delay_seconds', { service: 'test' });
  t.ok(delay !== undefined && delay >= 0, 'the loop is never early');
});

t.test('pools and the clock are read when asked', async (t) => {
  const registry = new Registry();
  let counts = { total: 0, idle: 0, waiting: 0 };
  registerStoreMetrics(registry, { pools: { accept: () => counts }, clockAgeSeconds: () => 1.5 });
  counts = { total: 4, idle: 1, waiting: 7 };
  const connections = (state: string) =>
    readValue(registry, 'bandit_db_pool_connections', { pool: 'accept', state });
  t.strictSame([await connections('busy'), await connections('idle')], [3, 1]);
  t.equal(await readValue(registry, 'bandit_db_pool_waiting_requests', { pool: 'accept' }), 7);
  t.equal(await readValue(registry, 'bandit_clock_offset_age_seconds', {}), 1.5);
});
