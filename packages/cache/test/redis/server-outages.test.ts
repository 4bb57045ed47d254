/** One Redis server that is absent, dies, hangs, slows down or refuses: what a request pays, and how it heals. */

import { limits } from '@bandit/contracts';
import { findFreePort, startRedis, startTcpProxy } from '@bandit/test-stores';
import t, { type Test } from 'tap';
import { needsRedisServer, type OpenedCache, openCache, patientMs, timed, until } from './fixtures.ts';

t.setTimeout(300_000);
const options = needsRedisServer();

/** A find that is answered: what was put is there. */
async function serves({ cache }: OpenedCache, key = 'probe'): Promise<boolean> {
  cache.put(key, 'here', 60_000);
  return (await cache.find(key)) === 'here';
}

/** Asks until the breaker is open: with nothing answered that takes a handful of deadlines. */
async function findUntilOpen({ cache }: OpenedCache): Promise<number> {
  const { ms } = await timed(() =>
    until(async () => {
      await cache.find('a');
      return cache.isBreakerOpen();
    }, 'the breaker opens'),
  );
  return ms;
}

async function costsNothing(t: Test, { cache }: OpenedCache): Promise<void> {
  const { ms } = await timed(async () => {
    for (let i = 0; i < 1_000; i++) t.equal(await cache.find(`k${i}`), undefined);
  });
  t.ok(ms < 1_000, `1000 finds with the breaker open took ${ms} ms`);
  await t.rejects(cache.claim('a', 'x', 1_000), /Redis is away/);
}

t.test('absent at the start, it is used as soon as it appears', options, async (t) => {
  const port = await findFreePort();
  const opened = openCache(t, `redis://127.0.0.1:${port}`, { timeoutMs: patientMs });
  const { cache, lines } = opened;
  t.equal(await cache.find('a'), undefined);
  cache.put('a', 'x', 1_000);
  await cache.remove(['a']);
  await t.rejects(cache.claim('a', 'x', 1_000), /Redis is away/);
  t.equal(cache.isConnected(), false);
  t.strictSame(cache.counts(), { hits: 0, misses: 0, timeouts: 0, failures: 0, dropped: 4 });
  await until(() => lines.length > 0, 'it says so');
  const redis = await startRedis({ port });
  t.teardown(() => redis.stop());
  await until(() => cache.isConnected(), 'it connects', 10_000);
  t.ok(await serves(opened));
  t.equal(await cache.claim('b', 'mine', 1_000), 'mine');
  t.strictSame(
    lines.map(({ level, message }) => [level, message]),
    [
      ['warn', 'the assignment cache is away: requests go on without it'],
      ['info', 'the assignment cache is back'],
    ],
  );
});

t.test('killed and started again empty, it heals by itself', options, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const opened = openCache(t, redis.url, { timeoutMs: patientMs });
  const { cache, lines } = opened;
  await until(() => cache.isConnected(), 'it connects');
  t.ok(await serves(opened));
  for (let round = 0; round < 3; round++) {
    await redis.kill('SIGKILL');
    await until(() => !cache.isConnected(), 'it notices');
    t.equal(await cache.find('probe'), undefined);
    await redis.restart({ empty: true });
    await until(() => cache.isConnected(), 'it connects again', 10_000);
    t.equal(await cache.find('probe'), undefined, 'nothing of before is left');
    t.ok(await serves(opened));
  }
  t.equal(lines.filter(({ level }) => level === 'warn').length, 3, 'one line an outage');
});

t.test('hung: a find costs its deadline, then nothing; it heals', options, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const opened = openCache(t, redis.url);
  const { cache, lines } = opened;
  await until(() => cache.isConnected(), 'it connects');
  await until(() => serves(opened), 'it serves');
  await redis.kill('SIGSTOP');
  const first = await timed(() => cache.find('probe'));
  t.equal(first.value, undefined);
  t.ok(first.ms < limits.cacheTimeoutMs * 20, `the first find took ${first.ms} ms`);
  const openMs = await findUntilOpen(opened);
  t.ok(openMs < limits.cacheFailuresWindowMs * 20, `open after ${openMs} ms`);
  await costsNothing(t, opened);
  t.equal(cache.isConnected(), false);
  // Long enough for the connection to be given up and made anew, in vain.
  const before = cache.counts().dropped;
  await until(() => lines.some(({ message }) => message.includes('is away')), 'it gives the connection up');
  t.equal(cache.counts().dropped, before);
  await redis.kill('SIGCONT');
  await until(() => cache.isConnected(), 'it heals', 10_000);
  await until(() => serves(opened), 'it serves again');
});

t.test('a short pause under load opens nothing', options, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const opened = openCache(t, redis.url, { timeoutMs: 200 });
  const { cache } = opened;
  await until(() => cache.isConnected(), 'it connects');
  t.ok(await serves(opened));
  const finds = Array.from({ length: 500 }, () => cache.find('probe'));
  await redis.kill('SIGSTOP');
  const late = Array.from({ length: 500 }, () => cache.find('probe'));
  await until(() => cache.counts().timeouts > 0, 'they time out');
  await Promise.all([...finds, ...late]);
  t.equal(cache.isBreakerOpen(), false, `${cache.counts().timeouts} time-outs of one stall`);
  await redis.kill('SIGCONT');
  await until(() => serves(opened), 'it serves on');
});

t.test('this process being busy is no time-out of Redis', options, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const opened = openCache(t, redis.url);
  const { cache } = opened;
  await until(() => serves(opened), 'it serves');
  const timeouts = cache.counts().timeouts;
  for (let round = 0; round < 20; round++) {
    const found = cache.find('probe');
    // The command leaves at the end of this turn of the event loop; then this process computes for 50 ms.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    const endMs = performance.now() + 50;
    while (performance.now() < endMs);
    await found;
  }
  t.ok(cache.counts().timeouts - timeouts <= 10, `${cache.counts().timeouts - timeouts} of 20 timed out`);
});

t.test('a claim waits longer than a find: it decides who has what', options, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const proxy = await startTcpProxy({ targetPort: redis.port });
  t.teardown(() => proxy.close());
  const opened = openCache(t, `redis://127.0.0.1:${proxy.port}`);
  const { cache } = opened;
  await until(() => serves(opened), 'it serves');
  await cache.claim('held', 'theirs', 60_000);
  proxy.setLatencyMs(limits.cacheClaimTimeoutMs / 5);
  t.equal(await cache.find('held'), undefined, 'not in time for a find');
  t.equal(await cache.claim('held', 'mine', 60_000), 'theirs');
  t.equal(await cache.claim('free', 'mine', 60_000), 'mine');
});

t.test('200 ms slow: the breaker opens, and closes when it is fast again', options, async (t) => {
  const redis = await startRedis();
  const proxy = await startTcpProxy({ targetPort: redis.port });
  t.teardown(async () => {
    await proxy.close();
    await redis.stop();
  });
  const opened = openCache(t, `redis://127.0.0.1:${proxy.port}`);
  const { cache } = opened;
  await until(() => serves(opened), 'it serves');
  proxy.setLatencyMs(200);
  await findUntilOpen(opened);
  await costsNothing(t, opened);
  proxy.setLatencyMs(0);
  await until(() => cache.isConnected(), 'it heals', 10_000);
  await until(() => serves(opened), 'it serves again');
});

t.test('connecting at 200 ms: it connects, and is not used while it is that slow', options, async (t) => {
  const redis = await startRedis();
  const proxy = await startTcpProxy({ targetPort: redis.port });
  t.teardown(async () => {
    await proxy.close();
    await redis.stop();
  });
  proxy.setLatencyMs(200);
  const opened = openCache(t, `redis://127.0.0.1:${proxy.port}`);
  const { cache } = opened;
  await until(() => cache.isConnected(), 'it connects');
  await findUntilOpen(opened);
  await costsNothing(t, opened);
});

t.test('a connection that dies without a word is replaced', options, async (t) => {
  const redis = await startRedis();
  const proxy = await startTcpProxy({ targetPort: redis.port });
  t.teardown(async () => {
    await proxy.close();
    await redis.stop();
  });
  const opened = openCache(t, `redis://127.0.0.1:${proxy.port}`);
  const { cache } = opened;
  await until(() => serves(opened), 'it serves');
  proxy.blackhole(true);
  await findUntilOpen(opened);
  await costsNothing(t, opened);
  proxy.blackhole(false);
  await until(() => cache.isConnected(), 'it heals', 10_000);
  proxy.cutAfterBytes(200);
  for (let i = 0; i < 50; i++) await cache.find('probe');
  proxy.cutAfterBytes(undefined);
  await until(() => serves(opened), 'cut in the middle of a reply, it serves again');
});

t.test('what waits is bounded while Redis hangs', options, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  // A deadline longer than the test: nothing opens the breaker.
  const { cache } = openCache(t, redis.url, { timeoutMs: patientMs });
  await until(() => cache.isConnected(), 'it connects');
  await redis.kill('SIGSTOP');
  for (let i = 0; i < limits.cacheWritesInFlightMax + 500; i++) cache.put(`k${i}`, 'x', 1_000);
  t.equal(cache.counts().dropped, 500);
  const finds = Array.from({ length: limits.cacheReadsInFlightMax + 300 }, (_, i) => cache.find(`k${i}`));
  t.equal(cache.counts().dropped, 800);
  await Promise.all(finds);
  await until(() => cache.counts().failures >= limits.cacheWritesInFlightMax, 'they are given up');
});

t.test('close ends promptly in every state', options, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const hung = openCache(t, redis.url, { timeoutMs: patientMs }).cache;
  const absent = openCache(t, `redis://127.0.0.1:${await findFreePort()}`).cache;
  await until(() => hung.isConnected(), 'it connects');
  await redis.kill('SIGSTOP');
  const connecting = openCache(t, redis.url).cache;
  const found = hung.find('a');
  hung.put('a', 'x', 1_000);
  const { ms } = await timed(() => Promise.all([hung, absent, connecting].map((cache) => cache.close())));
  t.ok(ms < limits.cacheCloseTimeoutMs * 10, `closed after ${ms} ms`);
  t.equal(await found, undefined);
  t.equal(hung.isConnected(), false);
});

t.test('what is in flight at the close arrives', options, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const { cache } = openCache(t, redis.url, { timeoutMs: patientMs });
  await until(() => cache.isConnected(), 'it connects');
  cache.put('last', 'x', 60_000);
  await cache.close();
  t.equal(await redis.call('GET', 'last'), 'x');
});

t.test('a wrong password is said once, without the password', options, async (t) => {
  const redis = await startRedis({ password: 'the right one' });
  t.teardown(() => redis.stop());
  const url = `redis://:s3cret%2Fword@127.0.0.1:${redis.port}`;
  const { cache, lines } = openCache(t, url);
  await until(() => lines.length > 0, 'it says so');
  const attempts = async () =>
    Number(/^cmdstat_hello:calls=(\d+)/m.exec(await redis.call('INFO', 'commandstats'))?.[1]);
  await until(async () => (await attempts()) >= 3, 'it goes on trying');
  t.equal(cache.isConnected(), false);
  t.equal(lines.filter(({ level }) => level === 'error').length, 1);
  t.ok(lines.length <= 2, JSON.stringify(lines));
  t.match(lines.find(({ level }) => level === 'error')?.details, { cache: 'test', reason: /WRONGPASS/ });
  t.notMatch(JSON.stringify(lines), /s3cret/);
  const right = openCache(t, `redis://:the%20right%20one@127.0.0.1:${redis.port}/3`, {
    timeoutMs: patientMs,
  });
  await until(() => right.cache.isConnected(), 'the right one connects');
  right.cache.put('a', 'x', 60_000);
  t.equal(await right.cache.find('a'), 'x');
  t.equal(await redis.call('-n', '3', 'GET', 'a'), 'x', 'in the database of the URL');
});

t.test('times to live are whole milliseconds that Redis takes', options, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const { cache } = openCache(t, redis.url, { timeoutMs: patientMs });
  await until(() => cache.isConnected(), 'it connects');
  cache.put('far', 'x', Number.POSITIVE_INFINITY);
  cache.put('large', 'x', 1e300);
  cache.put('never', 'x', Number.NaN);
  t.strictSame(await Promise.all(['far', 'large', 'never'].map((key) => cache.find(key))), [
    'x',
    'x',
    undefined,
  ]);
  cache.put('short', 'x', 0.2);
  await cache.claim('claimed', 'x', 1.5);
  t.equal(await cache.claim('none', 'mine', 0), 'mine', 'a claim without time is answered');
  t.equal(await cache.find('none'), undefined, 'and not kept');
  t.equal(cache.counts().failures, 0);
  await redis.call('LPUSH', 'list', 'a');
  t.equal(await cache.find('list'), undefined, 'what is no text is a miss');
  await t.rejects(cache.claim('list', 'x', 1_000), /refused/);
  t.equal(cache.counts().failures, 2);
});
