import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const installRoot = '/usr/lib/postgresql';

/** Folder of the newest installed server's programs (Debian's layout, else next to the `postgres` on the path). */
export function findPostgresServer(): string | undefined {
  const versions = existsSync(installRoot) ? readdirSync(installRoot) : [];
  const folders = versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(installRoot, version, 'bin'));
  const onPath = (process.env.PATH ?? '').split(':').filter((folder) => folder !== '');
  return [...folders, ...onPath].find(
    (folder) => existsSync(join(folder, 'postgres')) && existsSync(join(folder, 'initdb')),
  );
}

/** False where a test cannot start a server of its own: none is installed, or there is no user to run it as. */
export function hasPostgresServer(): boolean {
  return findPostgresServer() !== undefined && whoRunsPostgres() !== undefined;
}

export interface PostgresUser {
  readonly uid: number;
  readonly gid: number;
  /** Put before a command so that it runs as this user; empty when the test is not root. */
  readonly prefix: readonly string[];
}

/** The server refuses to run as root: then it is the user `postgres`. */
export function whoRunsPostgres(): PostgresUser | undefined {
  const uid = process.getuid?.();
  if (uid === undefined) return undefined;
  if (uid !== 0) return { uid, gid: process.getgid!(), prefix: [] };
  try {
    const idOf = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { stdio: 'pipe' }));
    const prefix = ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups'];
    return { uid: idOf('-u'), gid: idOf('-g'), prefix };
  } catch {
    return undefined;
  }
}
