import t from 'tap';
import { NodeBreaker } from '../../src/redis/node-breaker.ts';
import { until } from './fixtures.ts';

function setUp(probe: () => Promise<unknown> = async () => 'PONG', failuresWindowMs = 0) {
  let nowMs = 0;
  const seen: string[] = [];
  const breaker = new NodeBreaker({
    probe: () => {
      seen.push('probe');
      return probe();
    },
    failuresInARowMax: 3,
    failuresWindowMs,
    probeIntervalMs: 1,
    slowMs: 1_000,
    nowMs: () => nowMs,
    onOpen: () => seen.push('open'),
    onClose: () => seen.push('close'),
  });
  /** Fails a command that was sent at the one time, at the other. */
  const fail = (sentMs: number, atMs: number) => {
    nowMs = atMs;
    breaker.fail(sentMs);
  };
  return { breaker, fail, seen };
}

t.test('failures in a row open it, a success between them does not', async (t) => {
  const { breaker, fail, seen } = setUp();
  fail(0, 8);
  fail(8, 16);
  breaker.succeed();
  fail(16, 24);
  fail(24, 32);
  t.equal(breaker.isOpen(), false);
  fail(32, 40);
  t.equal(breaker.isOpen(), true);
  await until(() => !breaker.isOpen(), 'the probe closes it');
  t.strictSame(seen, ['open', 'probe', 'close']);
});

t.test('commands of one stall count once', async (t) => {
  const { breaker, fail } = setUp();
  for (let sentMs = 0; sentMs < 8; sentMs++) fail(sentMs, sentMs + 8);
  // Counted: the one sent at 0; those sent before it failed, at 8, do not count.
  fail(8, 16);
  t.equal(breaker.isOpen(), false);
  fail(15, 23);
  t.equal(breaker.isOpen(), false);
  fail(16, 24);
  t.equal(breaker.isOpen(), true);
  breaker.end();
});

t.test('failures of a moment do not open it, however many there are', async (t) => {
  const { breaker, fail } = setUp(undefined, 100);
  for (let sentMs = 0; sentMs < 80; sentMs += 8) fail(sentMs, sentMs + 8);
  t.equal(breaker.isOpen(), false, 'ten in 80 ms');
  breaker.succeed();
  for (let sentMs = 80; sentMs < 168; sentMs += 8) fail(sentMs, sentMs + 8);
  t.equal(breaker.isOpen(), false, 'the time counts from the first after a success');
  fail(172, 180);
  t.equal(breaker.isOpen(), true);
  breaker.end();
});

t.test('a probe that fails leaves it open, and they run one at a time', async (t) => {
  let running = 0;
  let most = 0;
  let left = 5;
  const { breaker, fail, seen } = setUp(async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running--;
    if (left-- > 0) throw new Error('away');
  });
  for (const ms of [0, 8, 16]) fail(ms, ms + 8);
  await until(() => !breaker.isOpen(), 'the sixth probe closes it');
  t.strictSame([most, seen.filter((what) => what === 'probe').length], [1, 6]);
});

t.test('ended, it probes no more', async (t) => {
  const { breaker, fail, seen } = setUp();
  for (const ms of [0, 8, 16]) fail(ms, ms + 8);
  breaker.end();
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.strictSame(seen, ['open']);
});
