import { limits } from '@bandit/contracts';
import { Registry } from 'prom-client';
import t from 'tap';
import { createShutdown, registerHealth } from '../src/index.ts';
import { isLate } from '../src/overload.ts';
import { addItemRoutes, openServer } from './test-server.ts';

t.test('alive is alive; ready is when every part is, and not while draining', async (t) => {
  const registry = new Registry();
  const app = await openServer({ registry });
  t.teardown(() => app.close());
  let isDraining = false;
  let isUp: () => boolean | Promise<boolean> = () => true;
  registerHealth(app as never, {
    checks: { database: async () => true, state: () => isUp() },
    isDraining: () => isDraining,
    registry,
  });
  for (const url of ['/livez', '/healthz']) t.strictSame((await app.inject(url)).json(), { status: 'ok' });
  const ready = await app.inject('/readyz');
  t.equal(ready.statusCode, 200);
  t.strictSame(ready.json(), { status: 'ready', checks: { accepting: true, database: true, state: true } });

  const failing: Record<string, () => boolean | Promise<boolean>> = {
    'says no': () => false,
    throws: () => {
      throw new Error('away');
    },
    rejects: () => Promise.reject(new Error('away')),
  };
  for (const [name, check] of Object.entries(failing)) {
    isUp = check;
    const answer = await app.inject('/readyz');
    t.equal(answer.statusCode, 503, name);
    t.match(answer.json(), { status: 'not ready', checks: { database: true, state: false } });
    t.equal(answer.headers['retry-after'], '1');
  }
  isUp = () => true;
  isDraining = true;
  t.equal((await app.inject('/readyz')).statusCode, 503);
  t.equal((await app.inject('/livez')).statusCode, 200, 'a draining process is alive');
});

t.test('durations are counted by route, method and status class', async (t) => {
  const registry = new Registry();
  const app = await openServer({ registry });
  t.teardown(() => app.close());
  addItemRoutes(app);
  registerHealth(app as never, { checks: {}, isDraining: () => false, registry });
  for (const url of ['/items/a', '/items/b', '/items/c?limit=0', '/nowhere', '/else']) await app.inject(url);
  const text = (await app.inject('/metrics')).body;
  const count = (labels: string) =>
    Number(
      new RegExp(`^bandit_http_request_duration_seconds_count\\{${labels}\\} (\\d+)$`, 'm').exec(text)?.[1],
    );
  t.equal(count('service="test",method="GET",route="/items/:id",status="2xx"'), 2);
  t.equal(count('service="test",method="GET",route="/items/:id",status="4xx"'), 1);
  t.equal(
    count('service="test",method="any",route="unknown",status="4xx"'),
    2,
    'unknown paths are one series',
  );
  t.match(text, /_bucket\{le="\+Inf",service="test",method="GET",route="\/items\/:id",status="2xx"\} 2$/m);
  t.match(text, /^# TYPE bandit_http_request_duration_seconds histogram$/m);
  t.notMatch(text, /nowhere/);
});

t.test('parts stop in order, once, and a bad one does not keep the rest from stopping', async (t) => {
  const stopped: string[] = [];
  const logged: unknown[] = [];
  const note = (name: string) => ({ name, close: () => void stopped.push(name) });
  const shutdown = createShutdown({
    steps: [
      note('server'),
      { name: 'broken', close: () => Promise.reject(new Error('no')) },
      {
        name: 'broken at once',
        close: () => {
          throw new Error('no');
        },
      },
      { name: 'hanging', close: () => new Promise(() => undefined) },
      note('database'),
    ],
    log: { error: (details: unknown) => void logged.push(details) } as never,
    // Held still but for the time-out itself: the hanging part uses up all there is.
    monotonicMs: () => 0,
    timeoutMs: 60,
  });
  t.equal(shutdown.isDraining(), false);
  const closing = shutdown.close();
  t.equal(shutdown.isDraining(), true, 'from the first moment');
  t.strictSame(await closing, ['broken', 'broken at once', 'hanging']);
  t.strictSame(stopped, ['server', 'database']);
  t.equal(logged.length, 3);
  t.equal(await shutdown.close(), await closing, 'a second close waits for the first');
  t.strictSame(stopped, ['server', 'database']);
});

t.test('the loop is late past its limit, and not before it was measured', (t) => {
  const ms = 1e6;
  // 20 ms of each measurement are the measuring itself.
  t.equal(isLate((limits.eventLoopDelayMsMax + 20) * ms), false);
  t.equal(isLate((limits.eventLoopDelayMsMax + 21) * ms), true);
  t.equal(isLate(Number.NaN), false);
  t.end();
});
