import { type DatabaseLog, type OpenDatabaseOptions, type OpenedDatabase, openDatabase } from '@bandit/db';

/** A real Postgres, or the folder of the embedded server's socket. */
export type DatabaseTarget = { readonly connectionString: string } | { readonly socketDir: string };

/** What a process may need connections for. Each kind acts as the role with the least rights that it can do with. */
export type PoolName = 'shared' | 'assignment' | 'accept' | 'learner' | 'management';

export interface Pools {
  /** Opened when it is first asked for. */
  open(name: PoolName): OpenedDatabase['db'];
  /** Of those that are open, for metrics. */
  readonly counts: Readonly<Record<string, OpenedDatabase['poolCounts']>>;
  close(): Promise<void>;
}

interface PoolSettings {
  readonly role?: NonNullable<OpenDatabaseOptions['role']>;
  readonly max: number;
}

/** Most connections of each pool: what `fleet` counts before it starts, and docs/operations.md tells. */
export const poolSettings: Readonly<Record<Exclude<PoolName, 'management'>, PoolSettings>> = {
  // Clock, configuration, keys.
  shared: { role: 'bandit_accept', max: 2 },
  assignment: { role: 'bandit_accept', max: 4 },
  accept: { role: 'bandit_accept', max: 4 },
  // One session of it holds the partitions.
  learner: { role: 'bandit_learner', max: 5 },
};

export interface PoolsOptions {
  readonly target: DatabaseTarget;
  /** Connections of management. */
  readonly managementMax: number;
  /** Of a process that only learns, whose login may have no other: it reads no configuration and no keys. */
  readonly isLearnerOnly: boolean;
  readonly log: DatabaseLog;
}

export function openPools({ target, managementMax, isLearnerOnly, log }: PoolsOptions): Pools {
  const settingsOf = (name: PoolName): PoolSettings => {
    // Row security holds outside withCompany too: without a company nothing is seen.
    if (name === 'management') return { role: 'bandit_app', max: managementMax };
    const settings = poolSettings[name];
    return name === 'shared' && isLearnerOnly ? { ...settings, role: 'bandit_learner' } : settings;
  };
  const opened = new Map<PoolName, OpenedDatabase>();
  const counts: Record<string, OpenedDatabase['poolCounts']> = {};
  return {
    open: (name) => {
      const held = opened.get(name);
      if (held !== undefined) return held.db;
      const { max, role } = settingsOf(name);
      // The embedded server has one session for all connections: no roles.
      const roleOption = role === undefined || 'socketDir' in target ? {} : { role };
      const pool = openDatabase({ ...target, ...roleOption, max, applicationName: `bandit ${name}`, log });
      opened.set(name, pool);
      counts[name] = pool.poolCounts;
      return pool.db;
    },
    counts,
    close: async () => {
      await Promise.all([...opened.values()].map((pool) => pool.close()));
    },
  };
}
