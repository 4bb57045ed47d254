import { Gauge, type Registry } from 'prom-client';

/** Connections of one pool at this moment. */
export interface PoolCounts {
  readonly total: number;
  readonly idle: number;
  /** Callers that wait for a connection. */
  readonly waiting: number;
}

export interface StoreReadings {
  /** Each pool of the process by what it is for: a bounded number of names. */
  readonly pools: Readonly<Record<string, () => PoolCounts>>;
  /** Seconds since the offset between local and database time was last measured. */
  readonly clockAgeSeconds: () => number;
}

/** What a process knows of its database connections, read when the registry is scraped. */
export function registerStoreMetrics(registry: Registry, { pools, clockAgeSeconds }: StoreReadings): void {
  const registers = [registry];
  new Gauge({
    name: 'bandit_db_pool_connections',
    help: 'Open connections of a pool, by whether they are busy or idle.',
    labelNames: ['pool', 'state'],
    registers,
    collect() {
      for (const [pool, read] of Object.entries(pools)) {
        const { total, idle } = read();
        this.set({ pool, state: 'idle' }, idle);
        this.set({ pool, state: 'busy' }, total - idle);
      }
    },
  });
  new Gauge({
    name: 'bandit_db_pool_waiting_requests',
    help: 'Callers that wait for a connection of a pool.',
    labelNames: ['pool'],
    registers,
    collect() {
      for (const [pool, read] of Object.entries(pools)) this.set({ pool }, read().waiting);
    },
  });
  new Gauge({
    name: 'bandit_clock_offset_age_seconds',
    help: 'Time since the offset to the database clock was measured.',
    registers,
    collect() {
      this.set(clockAgeSeconds());
    },
  });
}
