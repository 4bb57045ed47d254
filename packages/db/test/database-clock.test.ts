import t from 'tap';
import { createOffsetClock } from '../src/database-clock.ts';

/** A server and a local clock that only move when told; each question takes `roundTripMs`. */
function fakeClocks({
  serverMs,
  localMs = 5_000,
  roundTripMs = 0,
}: {
  serverMs: number;
  localMs?: number;
  roundTripMs?: number;
}) {
  const now = { serverMs, localMs };
  const advance = (ms: number) => {
    now.serverMs += ms;
    now.localMs += ms;
  };
  const readMs = async () => {
    advance(roundTripMs / 2);
    const reading = now.serverMs;
    advance(roundTripMs / 2);
    return reading;
  };
  return { now, advance, readMs, monotonicMs: () => now.localMs };
}

t.test("time is the server's, also between refreshes and with a slow network", async (t) => {
  const fake = fakeClocks({ serverMs: 1_700_000_000_000.75, roundTripMs: 80 });
  const clock = createOffsetClock(fake.readMs, { monotonicMs: fake.monotonicMs, pollMs: 0 });
  t.throws(() => clock.nowMs(), /before its first refresh/);
  await clock.refresh();
  // The reading belongs to the middle of the round trip: 80 ms have passed, cut to whole milliseconds.
  t.equal(clock.nowMs(), 1_700_000_000_080);
  fake.advance(1_000);
  t.equal(clock.nowMs(), 1_700_000_001_080);
  t.equal(clock.offsetAgeMs(), 1_000);
});

t.test('it remembers when the database was last away, or slow', async (t) => {
  const fake = fakeClocks({ serverMs: 90_000, roundTripMs: 80 });
  let read = fake.readMs;
  const clock = createOffsetClock(() => read(), { monotonicMs: fake.monotonicMs, pollMs: 0 });
  await clock.refresh();
  t.equal(clock.sinceTroubleMs(), Number.POSITIVE_INFINITY);
  read = () => Promise.reject(new Error('away'));
  await t.rejects(clock.refresh(), /away/);
  fake.advance(700);
  read = fake.readMs;
  await clock.refresh();
  t.equal(clock.sinceTroubleMs(), 780, '700 ms and the round trip');
  read = () => {
    fake.advance(400);
    return fake.readMs();
  };
  await clock.refresh();
  t.equal(clock.sinceTroubleMs(), 0);
});

t.test('a first guess holds until the first refresh succeeds', async (t) => {
  const fake = fakeClocks({ serverMs: 90_000 });
  const clock = createOffsetClock(fake.readMs, { monotonicMs: fake.monotonicMs, pollMs: 0, startMs: 70_000 });
  fake.advance(5);
  t.equal(clock.nowMs(), 70_005);
  await clock.refresh();
  t.equal(clock.nowMs(), 90_005);
});

t.test('small corrections never turn time back, a step of the server is followed', async (t) => {
  const fake = fakeClocks({ serverMs: 100_000 });
  const clock = createOffsetClock(fake.readMs, { monotonicMs: fake.monotonicMs, pollMs: 0 });
  await clock.refresh();
  t.equal(clock.nowMs(), 100_000);
  fake.now.serverMs -= 300;
  await clock.refresh();
  t.equal(clock.nowMs(), 100_000, 'stands still');
  fake.advance(301);
  t.equal(clock.nowMs(), 100_001, 'until the server has caught up');
  fake.now.serverMs -= 60_000;
  await clock.refresh();
  t.equal(clock.nowMs(), 40_001);
});

t.test('with the server away the last offset stays, and one question runs at a time', async (t) => {
  const fake = fakeClocks({ serverMs: 100_000 });
  let nAsked = 0;
  let isAway = false;
  const readMs = async () => {
    nAsked += 1;
    if (isAway) throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' });
    return fake.readMs();
  };
  const clock = createOffsetClock(readMs, { monotonicMs: fake.monotonicMs, pollMs: 0 });
  await Promise.all([clock.refresh(), clock.refresh()]);
  t.equal(nAsked, 1);
  isAway = true;
  await t.rejects(clock.refresh(), { code: 'ECONNREFUSED' });
  fake.advance(7);
  t.equal(clock.nowMs(), 100_007);
  await clock.close();
});
