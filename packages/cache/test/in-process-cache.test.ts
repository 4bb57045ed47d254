import t from 'tap';
import { createInProcessCache } from '../src/index.ts';
import { testCacheContract } from './cache-contract.ts';

function setUp(entriesMax = 100) {
  let nowMs = 1_000_000;
  const cache = createInProcessCache({ nowMs: () => nowMs, entriesMax });
  const advance = async (ms: number) => {
    nowMs += ms;
  };
  return { cache, advance };
}

t.test('the cache contract', (t) => testCacheContract(t, async () => setUp()));

t.test('past its size the least recently used entry goes', async (t) => {
  const { cache } = setUp(2);
  cache.put('a', 'a', 1_000);
  cache.put('b', 'b', 1_000);
  await cache.find('a');
  cache.put('c', 'c', 1_000);
  t.strictSame(await Promise.all(['a', 'b', 'c'].map((key) => cache.find(key))), ['a', undefined, 'c']);
});

t.test('an entry lives to the millisecond before its end', async (t) => {
  const { cache, advance } = setUp();
  cache.put('a', 'a', 10);
  await advance(9);
  t.equal(await cache.find('a'), 'a');
  await advance(1);
  t.equal(await cache.find('a'), undefined);
});
