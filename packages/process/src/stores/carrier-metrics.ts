import type { CacheCounts } from '@bandit/cache';
import { Counter, Gauge, type Registry } from 'prom-client';

/** Tells that NATS is away; 0 for ever where the bus is inside this process. */
export function registerBusMetrics(registry: Registry, bus: { isConnected(): boolean }): void {
  new Gauge({
    name: 'bandit_bus_away',
    help: '1 while the connection to NATS is away.',
    registers: [registry],
    collect() {
      this.set(Number(!bus.isConnected()));
    },
  });
}

/** The shared cache as this process sees it. @param read undefined where the cache is inside this process */
export function registerCacheMetrics(
  registry: Registry,
  isAway: () => boolean,
  read: (() => CacheCounts) | undefined,
): void {
  const registers = [registry];
  new Gauge({
    name: 'bandit_cache_away',
    help: '1 while Redis, or a node of its cluster, is not asked: it is away or its breaker is open.',
    registers,
    collect() {
      this.set(Number(isAway()));
    },
  });
  new Counter({
    name: 'bandit_cache_commands_total',
    help: 'Commands for the shared cache, by outcome; a write that was answered counts as none.',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset();
      for (const [outcome, count] of Object.entries(read?.() ?? {})) this.inc({ outcome }, count);
    },
  });
}
