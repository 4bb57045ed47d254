import { limits } from '@bandit/contracts';
import { createLateAssignments } from '@bandit/process';
import t from 'tap';

/** A stream whose looks the test answers, in the order in which they began. */
function createLooks(sinceTroubleMs = Number.POSITIVE_INFINITY) {
  const looks: PromiseWithResolvers<boolean>[] = [];
  const isDrained = () => {
    const look = Promise.withResolvers<boolean>();
    looks.push(look);
    return look.promise;
  };
  return { looks, late: createLateAssignments({ isDrained }, () => sinceTroubleMs) };
}

t.test('some are on their way: 503; none: nothing', async (t) => {
  const { looks, late } = createLooks();
  const first = late.assertNone();
  looks[0]!.resolve(false);
  await t.rejects(first, { code: 'STORE_UNAVAILABLE' });
  const second = late.assertNone();
  looks[1]!.resolve(true);
  await second;
});

t.test('nobody can tell: what the database says holds', async () => {
  const { looks, late } = createLooks();
  const asked = late.assertNone();
  looks[0]!.reject(new Error('the bus is away'));
  await asked;
});

t.test('nobody can tell, and the database was away a moment ago: 503', async (t) => {
  const { looks, late } = createLooks(limits.lateAssignmentsMs);
  const asked = late.assertNone();
  looks[0]!.reject(new Error('too late'));
  await t.rejects(asked, { code: 'STORE_UNAVAILABLE' });
});

t.test('who comes during a look shares the next: what it asks about may have been put since', async (t) => {
  const { looks, late } = createLooks();
  const first = late.assertNone();
  const others = [late.assertNone(), late.assertNone()];
  t.equal(looks.length, 1);
  looks[0]!.resolve(true);
  await first;
  t.equal(looks.length, 2);
  looks[1]!.resolve(false);
  for (const { status } of await Promise.allSettled(others)) t.equal(status, 'rejected');
  t.equal(looks.length, 2);
});
