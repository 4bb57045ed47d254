/**
 * One process at a time per data folder. The kernel's lock on `lock.db` decides (held through SQLite, as Node has no
 * flock), so a process killed with -9 leaves nothing to clean up and two processes can never both take over. Beside it
 * `lock.json` names the holder for the message of whoever comes second.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface DataLockHolder {
  readonly pid: number;
  /** When the process started, ISO 8601 UTC. */
  readonly startedAt: string;
  /** A socket folder outside the data folder, to be removed by the next holder after a crash. */
  readonly socketDir?: string;
}

export interface DataLock {
  /** What a holder that crashed left behind. */
  readonly previous: DataLockHolder | undefined;
  release(): void;
}

/** Another process holds the data folder. */
export class DataFolderInUseError extends Error {
  constructor(dataDir: string, holder: DataLockHolder | undefined) {
    const who = holder === undefined ? 'another process' : `process ${holder.pid} (${holder.startedAt})`;
    super(
      `the data folder ${dataDir} is in use by ${who}: stop that process, or set DATA_DIR to another folder`,
    );
    this.name = 'DataFolderInUseError';
  }
}

/** Open lock files of this process: one that nobody refers to would be collected, closed, and its lock given up. */
const held = new Set<DatabaseSync>();

/** @throws DataFolderInUseError when another process, or this one, already holds it */
export function acquireDataLock(dataDir: string, holder: DataLockHolder): DataLock {
  const holderPath = join(dataDir, 'lock.json');
  const lock = openExclusive(join(dataDir, 'lock.db'));
  if (lock === undefined) throw new DataFolderInUseError(dataDir, readHolder(holderPath));
  held.add(lock);
  const previous = readHolder(holderPath);
  writeFileSync(holderPath, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
  return {
    previous,
    release: () => {
      rmSync(holderPath, { force: true });
      held.delete(lock);
      lock.close();
    },
  };
}

function openExclusive(path: string): DatabaseSync | undefined {
  const database = new DatabaseSync(path);
  try {
    database.exec('pragma journal_mode = memory; begin exclusive');
    return database;
  } catch (error) {
    database.close();
    // SQLITE_BUSY
    if ((error as { errcode?: number }).errcode === 5) return undefined;
    throw error;
  }
}

function readHolder(path: string): DataLockHolder | undefined {
  try {
    const { pid, startedAt, socketDir } = JSON.parse(readFileSync(path, 'utf8')) as Partial<DataLockHolder>;
    if (typeof pid !== 'number' || typeof startedAt !== 'string') return undefined;
    return typeof socketDir === 'string' ? { pid, startedAt, socketDir } : { pid, startedAt };
  } catch {
    return undefined;
  }
}
