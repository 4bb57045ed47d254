import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { startServer } from '../../lint/start-server.ts';

export const natsUsers = ['assignment', 'ingest', 'learner', 'management', 'reader'] as const;
export type NatsUser = (typeof natsUsers)[number];

/**
 * A server with nats.conf as it is shipped, but for its folder, its monitoring port and, as 2.9 does not know it,
 * sync_interval.
 *
 * @returns where it listens
 */
export async function startShippedNats(t: Test): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'bandit-nats-'));
  const file = join(dir, 'nats.conf');
  const shipped = readFileSync(new URL('../nats.conf', import.meta.url), 'utf8');
  const text = shipped
    .replace('"/data"', JSON.stringify(join(dir, 'data')))
    .replace(/^\s*sync_interval: always$/m, '')
    .replace('http: "0.0.0.0:8222"', '');
  writeFileSync(file, text);
  const passwords = ['system', ...natsUsers].map((user) => [
    `NATS_${user.toUpperCase()}_PASSWORD`,
    natsPassword(user),
  ]);
  const env = { NATS_SERVER_NAME: 'nats-test', ...Object.fromEntries(passwords) };
  const argsFor = (port: number) => ['-c', file, '-a', '127.0.0.1', '-p', String(port)];
  const server = await startServer('nats-server', argsFor, env);
  t.teardown(async () => {
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  return server.port;
}

export function natsPassword(user: string): string {
  return `p0${Buffer.from(user).toString('hex')}`;
}
