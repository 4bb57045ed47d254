import { limits } from '@bandit/contracts';
import t from 'tap';
import { peerKey } from '../src/rate-limits.ts';
import { TokenBuckets } from '../src/token-buckets.ts';
import { nowMs, openServer } from './test-server.ts';

t.test('a bucket holds a second and fills continuously', (t) => {
  const buckets = new TokenBuckets(10, 100);
  for (let i = 9; i >= 0; i -= 1) t.strictSame(buckets.take('a', 0), { isAllowed: true, remaining: i });
  t.strictSame(buckets.take('a', 0), { isAllowed: false, remaining: 0 });
  t.equal(buckets.take('a', 99).isAllowed, false, '99 ms fill 0.99 of one');
  // A refusal takes nothing: 1 ms later the token is whole.
  t.equal(buckets.take('a', 100).isAllowed, true);
  t.strictSame(buckets.take('a', 60_000), { isAllowed: true, remaining: 9 }, 'never more than a second');
  t.equal(buckets.take('b', 60_000).remaining, 9, 'another key has its own share');
  t.equal(buckets.take('a', 0).isAllowed, true, 'a clock that goes back takes nothing away');
  t.end();
});

t.test('memory is bounded, and forgetting refuses nobody', (t) => {
  const buckets = new TokenBuckets(1, 100);
  for (let i = 0; i < 1_000; i += 1) t.ok(buckets.take(`peer ${i}`, 0).isAllowed);
  t.equal(buckets.size, 100);
  t.end();
});

t.test('an IPv6 network is one peer, a mapped IPv4 address itself', (t) => {
  const table: [string, string][] = [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
  ];
  for (const [address, key] of table) t.equal(peerKey(address), key, address);
  t.end();
});

t.test('past its share a caller gets 429, Retry-After and the current RateLimit fields', async (t) => {
  let now = nowMs;
  const callerOf = (request: { headers: Record<string, unknown> }) =>
    request.headers['x-caller'] as string | undefined;
  const app = await openServer({ nowMs: () => now, rateLimits: { perCaller: 2, perPeer: 0, callerOf } });
  t.teardown(() => app.close());
  app.get('/x', { schema: { operationId: 'x' } }, () => ({ ok: true }));
  const ask = (caller?: string) =>
    app.inject({ url: '/x', headers: caller === undefined ? {} : { 'x-caller': caller } });

  const first = await ask('a');
  t.equal(first.statusCode, 200);
  t.equal(first.headers['ratelimit-policy'], '"caller";q=2;w=1');
  t.equal(first.headers.ratelimit, '"caller";r=1;t=1');
  t.equal((await ask('a')).statusCode, 200);
  const refused = await ask('a');
  t.equal(refused.statusCode, 429);
  t.match(refused.json(), {
    success: false,
    code: 'RATE_LIMITED',
    error: /^at most 2 requests a second are taken from one caller/,
  });
  t.equal(refused.headers['retry-after'], String(limits.retryAfterSeconds));
  t.equal(refused.headers.ratelimit, '"caller";r=0;t=1');
  t.equal((await ask('b')).statusCode, 200, 'another caller is not concerned');
  for (let i = 0; i < 5; i += 1) t.equal((await ask()).statusCode, 200, 'nobody in particular has no share');
  now += limits.retryAfterSeconds * 1000;
  t.equal((await ask('a')).statusCode, 200, 'after Retry-After it goes on');
});

t.test('a peer is counted before anything else; health is not counted', async (t) => {
  const app = await openServer({ rateLimits: { perCaller: 0, perPeer: 3, callerOf: () => undefined } });
  t.teardown(() => app.close());
  app.get('/free', { schema: { hide: true }, config: { isUnlimited: true } }, () => ({ ok: true }));
  const ask = (url: string, remoteAddress = '192.0.2.1') => app.inject({ url, remoteAddress });
  for (let i = 0; i < 3; i += 1) t.equal((await ask('/nowhere')).statusCode, 404);
  t.equal((await ask('/nowhere')).statusCode, 429, 'unknown routes count');
  t.equal((await ask('/free')).statusCode, 200);
  t.equal((await ask('/nowhere', '192.0.2.2')).statusCode, 404, 'another peer');
});
