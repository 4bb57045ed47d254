/** redis.conf, redis-cluster.conf and users.acl.example on a real server, through the client that the platform uses. */
import { connect } from 'node:net';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { hasProgram, type RunningServer } from '../../lint/start-server.ts';
import { makeShippedRedis, redisPassword } from './start-shipped-redis.ts';

t.setTimeout(120_000);

const password = redisPassword;
const key = 'assignment:cmp_1:exp_1:user:with:colons';

async function testUsers(t: Test): Promise<void> {
  const start = makeShippedRedis(t);
  const server = await start();
  t.teardown(server.stop);
  const { service, operator } = openClients(t, server);
  await t.test('a service does what a cache needs', async (t) => {
    t.equal(await service.ping(), 'PONG');
    t.equal(await service.set(key, 'a', 'PX', 60_000, 'NX', 'GET'), null, 'the first claim');
    t.equal(await service.set(key, 'b', 'PX', 60_000, 'NX', 'GET'), 'a', 'the second hears of the first');
    t.equal(await service.get(key), 'a');
    t.equal(await service.unlink(key), 1);
    t.equal(await service.del(key), 0);
    t.match(await service.info('server'), /redis_version:7/);
  });
  await t.test('a service is refused everything else', async (t) => {
    const forbidden: [string, ...string[]][] = [
      ['GET', 'other'],
      ['SET', 'other', 'x'],
      ['KEYS', '*'],
      ['SCAN', '0'],
      ['FLUSHALL'],
      ['FLUSHDB'],
      ['CONFIG', 'GET', '*'],
      ['SHUTDOWN'],
      ['DEBUG', 'SLEEP', '0'],
      ['EVAL', 'return 1', '0'],
      ['ACL', 'LIST'],
      ['CLIENT', 'KILL', 'TYPE', 'normal'],
      ['REPLICAOF', 'NO', 'ONE'],
      ['MODULE', 'LIST'],
      ['BGREWRITEAOF'],
      ['SAVE'],
      ['PERSIST', key],
      ['MONITOR'],
      ['SUBSCRIBE', 'x'],
      ['PUBLISH', 'x', 'x'],
      ['CLUSTER', 'RESET'],
    ];
    for (const [command, ...args] of forbidden)
      await t.rejects(service.call(command, ...args), /NOPERM|not allowed/, [command, ...args].join(' '));
  });
  await t.test('without a password nobody does anything', async (t) => {
    for (const command of [`GET ${key}`, 'PING', 'FLUSHALL'])
      t.match(await askWithoutLogin(server.port, command), /^-NOAUTH/, command);
  });
  await t.test('the settings are in force', async (t) => {
    const settings = (await operator.config('GET', '*')) as never;
    t.equal(settingOf(settings, 'appendonly'), 'yes');
    t.equal(settingOf(settings, 'appendfsync'), 'everysec');
    t.equal(settingOf(settings, 'maxmemory-policy'), 'volatile-lru');
    t.equal(settingOf(settings, 'maxmemory'), String(2 ** 30));
  });
  await t.test('what was answered outlives kill -9', async (t) => {
    await service.set(key, 'kept', 'PX', 600_000);
    await server.stop();
    const again = await start();
    t.teardown(again.stop);
    t.equal(await openClients(t, again).service.get(key), 'kept');
  });
}

function askWithoutLogin(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`));
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no answer to ${command}`)));
    socket.once('data', (answer) => socket.end(() => resolve(answer.toString())));
    socket.once('error', reject);
  });
}

async function testCluster(t: Test): Promise<void> {
  const server = await makeShippedRedis(t, 'redis-cluster.conf')();
  t.teardown(server.stop);
  const { service, operator } = openClients(t, server);
  t.match(await service.cluster('INFO'), /cluster_enabled|cluster_state/);
  t.ok(Array.isArray(await service.cluster('SLOTS')));
  const settings = (await operator.config('GET', 'cluster-require-full-coverage')) as never;
  t.equal(settingOf(settings, 'cluster-require-full-coverage'), 'no');
}

/** RESP3 answers a map, RESP2 a list. */
function settingOf(settings: Record<string, string> | string[], name: string): string | undefined {
  return Array.isArray(settings) ? settings[settings.indexOf(name) + 1] : settings[name];
}

function openClients(t: Test, { port }: RunningServer): Record<'service' | 'operator', Redis> {
  const open = (options: { username: string; password: string }) => {
    const client = new Redis({
      host: '127.0.0.1',
      port,
      lazyConnect: false,
      maxRetriesPerRequest: 0,
      ...options,
    });
    client.on('error', () => undefined);
    t.teardown(() => client.disconnect());
    return client;
  };
  return {
    service: open({ username: 'bandit', password }),
    operator: open({ username: 'operator', password }),
  };
}

if (hasProgram('redis-server')) {
  await t.test('users of redis.conf', testUsers);
  await t.test('a node of a cluster', testCluster);
} else if (process.env.CI_REQUIRE_STORES === '1')
  t.fail('CI_REQUIRE_STORES=1, but redis-server is not installed');
else {
  console.warn('NOT TESTED: redis.conf and its users, as redis-server is not installed here');
  t.test('redis.conf', { skip: 'redis-server is not installed here' }, async () => undefined);
}
