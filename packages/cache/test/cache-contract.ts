/** What every implementation of the assignment cache port promises. Each adapter's test runs it on its own cache. */
import type { AssignmentCache } from '@bandit/contracts';
import type { Test } from 'tap';

export interface CacheUnderTest {
  readonly cache: AssignmentCache;
  /** Lets this much time pass for the cache. */
  advance(ms: number): Promise<void>;
}

export async function testCacheContract(t: Test, setUp: (t: Test) => Promise<CacheUnderTest>): Promise<void> {
  await t.test('what was put is found until its time is up', async (t: Test) => {
    const { cache, advance } = await setUp(t);
    t.equal(await cache.find('a'), undefined);
    cache.put('a', 'first', 60_000);
    cache.put('b', 'second', 400);
    t.equal(await cache.find('a'), 'first');
    t.equal(await cache.find('b'), 'second');
    cache.put('a', 'third', 60_000);
    t.equal(await cache.find('a'), 'third', 'the last one put counts');
    await advance(400);
    t.equal(await cache.find('b'), undefined);
    t.equal(await cache.find('a'), 'third');
  });

  await t.test('a time to live that is up already stores nothing', async (t: Test) => {
    const { cache } = await setUp(t);
    cache.put('a', 'x', 0);
    cache.put('b', 'x', -5);
    t.strictSame([await cache.find('a'), await cache.find('b')], [undefined, undefined]);
  });

  await t.test('removed keys are gone, others stay', async (t: Test) => {
    const { cache } = await setUp(t);
    for (const key of ['a', 'b', 'c']) cache.put(key, key, 60_000);
    await cache.remove(['a', 'c', 'unknown']);
    await cache.remove([]);
    t.strictSame(await Promise.all(['a', 'b', 'c'].map((key) => cache.find(key))), [
      undefined,
      'b',
      undefined,
    ]);
  });

  await t.test('the first claim wins, everyone is told who did', async (t: Test) => {
    const { cache, advance } = await setUp(t);
    const held = await Promise.all(['x', 'y', 'z'].map((value) => cache.claim('a', value, 400)));
    t.equal(new Set(held).size, 1);
    t.equal(await cache.find('a'), held[0]);
    cache.put('b', 'cached', 60_000);
    t.equal(await cache.claim('b', 'mine', 60_000), 'cached', 'what is cached counts as claimed');
    await advance(400);
    t.equal(await cache.claim('a', 'later', 60_000), 'later', 'an expired claim is free');
    await cache.remove(['a']);
    t.equal(await cache.claim('a', 'again', 60_000), 'again', 'so is a removed one');
  });

  await t.test('any text is a key and a value', async (t: Test) => {
    const { cache } = await setUp(t);
    for (const text of ['__proto__', 'a b\n', 'ü🙂', 'x'.repeat(10_000)]) {
      cache.put(text, text, 60_000);
      t.equal(await cache.find(text), text);
    }
  });

  await t.test('closed, it finds nothing, stores nothing and refuses to arbitrate', async (t: Test) => {
    const { cache } = await setUp(t);
    t.ok(cache.isConnected());
    cache.put('a', 'x', 60_000);
    await cache.close();
    await cache.close();
    t.notOk(cache.isConnected());
    t.doesNotThrow(() => cache.put('b', 'x', 60_000));
    t.equal(await cache.find('a'), undefined);
    await t.rejects(cache.claim('a', 'x', 60_000), /closed/);
  });
}
