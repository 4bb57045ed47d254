import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type RunningServer, startServer } from '../../lint/start-server.ts';

const folder = new URL('../', import.meta.url);
export const redisPassword = 'correct-horse-battery-staple';

/**
 * A folder with the files as they are shipped, but for paths; every user with a password has `redisPassword`.
 *
 * @returns how to start a server in it
 */
export function makeShippedRedis(t: Test, file = 'redis.conf'): () => Promise<RunningServer> {
  const dir = mkdtempSync(join(tmpdir(), 'bandit-redis-'));
  for (const name of ['redis.conf', 'redis-cluster.conf']) {
    const text = readFileSync(new URL(name, folder), 'utf8');
    const moved = text
      .replace('include ./', `include ${dir}/`)
      .replace('/etc/redis/users.acl', join(dir, 'users.acl'))
      .replace('dir /data', `dir ${dir}`)
      .replace('bind * -::*', 'bind 127.0.0.1');
    writeFileSync(join(dir, name), moved);
  }
  const hash = createHash('sha256').update(redisPassword).digest('hex');
  const users = readFileSync(new URL('users.acl.example', folder), 'utf8');
  writeFileSync(join(dir, 'users.acl'), users.replaceAll('REPLACE_WITH_SHA256_OF_THE_PASSWORD', hash));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return () => startServer('redis-server', (port) => [join(dir, file), '--port', String(port)]);
}
