import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** Path of the installed nats-server: on the path, or where Debian puts it (which is on root's path only). */
export function findNatsServer(): string | undefined {
  const onPath = (process.env.PATH ?? '').split(':').filter((folder) => folder !== '');
  return [...onPath, '/usr/sbin', '/usr/local/bin', '/usr/bin']
    .map((folder) => join(folder, 'nats-server'))
    .find(isExecutable);
}

/** False where a test cannot start a server of its own. */
export function hasNatsServer(): boolean {
  return findNatsServer() !== undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
