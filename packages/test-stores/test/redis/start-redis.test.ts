import t from 'tap';
import { hasRedisServer, startRedis, startRedisCluster } from '../../src/index.ts';
import { waitUntil } from '../../src/wait-until.ts';

const isThere = hasRedisServer();
if (!isThere) {
  console.warn('NOT TESTED: redis-server and redis-cli are not installed');
  if (process.env.CI_REQUIRE_STORES === '1')
    throw new Error('CI_REQUIRE_STORES=1, but there is no redis-server');
}
const options = isThere ? {} : { skip: 'redis-server is not installed' };

t.test('a server keeps its port and its data, unless asked not to', options, async (t) => {
  const redis = await startRedis({ appendonly: true });
  t.teardown(() => redis.stop());
  await redis.call('SET', 'a', '1');
  const { pid } = redis;
  await redis.restart();
  t.not(redis.pid, pid);
  t.equal(await redis.call('GET', 'a'), '1');
  await redis.kill('SIGKILL');
  await t.rejects(redis.call('PING'));
  await redis.restart({ empty: true });
  t.equal(await redis.call('GET', 'a'), '');
});

t.test('a password is asked of every client', options, async (t) => {
  const redis = await startRedis({ password: 'open sesame' });
  t.teardown(() => redis.stop());
  t.equal(await redis.call('PING'), 'PONG');
});

t.test('a stopped server is ended too, and one on a taken port says why', options, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  await t.rejects(startRedis({ port: redis.port }), /Address already in use/);
  await redis.kill('SIGSTOP');
  await redis.restart();
  t.equal(await redis.call('PING'), 'PONG');
});

t.test('a cluster: three masters, a replica takes over, a restarted node joins again', options, async (t) => {
  const cluster = await startRedisCluster();
  t.teardown(() => cluster.stop());
  const before = await cluster.masters();
  t.equal(before.length, 3);
  await before[0]!.kill('SIGKILL');
  const hasTakenOver = async () => (await cluster.masters()).length === 3;
  await waitUntil(hasTakenOver, 60_000, 'no replica takes over');
  t.notOk((await cluster.masters()).some((node) => node.port === before[0]!.port));
  await before[0]!.restart();
  await cluster.waitUntilWhole();
});
