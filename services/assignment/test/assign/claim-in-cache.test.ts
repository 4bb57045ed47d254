import { createInProcessCache } from '@bandit/cache';
import type { AssignmentCache } from '@bandit/contracts';
import { createRng } from '@bandit/core';
import t from 'tap';
import { claimInCache } from '../../src/assign/claim-in-cache.ts';

const ttlMs = 60_000;
const isServed = (value: string) => value.startsWith('fresh');
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

const createCache = () => createInProcessCache({ nowMs: () => 0, entriesMax: 1_000 });

/** The cache over a network: each question takes some turns, so that processes overtake one another. */
function slowed(cache: AssignmentCache, rng: { uniform(): number }): AssignmentCache {
  const wait = async () => {
    for (let turns = Math.floor(rng.uniform() * 6); turns > 0; turns--) await nextTurn();
  };
  return {
    ...cache,
    claim: async (key, value, ms) => {
      await wait();
      const held = await cache.claim(key, value, ms);
      await wait();
      return held;
    },
    remove: async (keys) => {
      await wait();
      await cache.remove(keys);
    },
    put: (key, value, ms) => void wait().then(() => cache.put(key, value, ms)),
  };
}

t.test('the first claim of a free key wins', async (t) => {
  const cache = createCache();
  t.equal(await claimInCache(cache, 'k', 'fresh 1', ttlMs, isServed), 'fresh 1');
  t.equal(await claimInCache(cache, 'k', 'fresh 2', ttlMs, isServed), 'fresh 1');
});

t.test('what no longer counts makes way for one claim, which the key holds from then on', async (t) => {
  for (const stale of ['garbage', 'asgn_removed', 'asgn_removed kept', '']) {
    const cache = createCache();
    cache.put('k', stale, ttlMs);
    t.equal(await claimInCache(cache, 'k', 'fresh 1', ttlMs, isServed), 'fresh 1');
    t.equal(await cache.find('k'), 'fresh 1');
    t.equal(await claimInCache(cache, 'k', 'fresh 2', ttlMs, isServed), 'fresh 1');
  }
});

t.test('processes that overtake one another agree, whatever the key held', async (t) => {
  for (const stale of [undefined, 'garbage', 'asgn_removed', 'asgn_removed kept']) {
    for (let seed = 1; seed <= 150; seed++) {
      const cache = createCache();
      if (stale !== undefined) cache.put('k', stale, ttlMs);
      const rng = createRng(seed);
      const claims = Array.from({ length: 4 }, async (_, i) => {
        for (let turns = Math.floor(rng.uniform() * 12); turns > 0; turns--) await nextTurn();
        // Its standing moves on under the same id: still the same one makes way.
        if (i === 0 && stale === 'asgn_removed') cache.put('k', 'asgn_removed unrecorded', ttlMs);
        return claimInCache(slowed(cache, rng), 'k', `fresh ${i}`, ttlMs, isServed);
      });
      const winners = new Set(await Promise.all(claims));
      if (winners.size !== 1) t.fail(`seed ${seed}, ${stale}: ${[...winners].join(', ')}`);
    }
  }
  t.pass('600 schedules');
});

t.test('the key of another user cannot be made to arbitrate', async (t) => {
  const cache = createCache();
  const claimed: string[] = [];
  const watched = {
    ...cache,
    claim: (key: string, value: string, ms: number) => {
      claimed.push(key);
      return cache.claim(key, value, ms);
    },
  };
  cache.put('assignment:c:e:u', 'garbage', ttlMs);
  await claimInCache(watched, 'assignment:c:e:u', 'fresh', ttlMs, isServed);
  t.equal(claimed.length, 2);
  t.notMatch(claimed[1], /^assignment:/, 'no user id, whatever its characters, makes this key');
});

t.test('it gives up after a bound, and passes on that the cache is away', async (t) => {
  const cache = createCache();
  const never = () => false;
  t.equal(await claimInCache(cache, 'k', 'first', ttlMs, never), 'first');
  for (const value of ['second', 'third']) await claimInCache(cache, 'k', value, ttlMs, never);
  await cache.close();
  await t.rejects(claimInCache(cache, 'k', 'x', ttlMs, isServed), /closed/);
});
