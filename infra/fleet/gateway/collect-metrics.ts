import { limits } from '@bandit/contracts';
import { Gauge, type Registry } from 'prom-client';
import type { InstanceTable } from '../instance-table.ts';
import { askInstance } from './ask-instance.ts';
import { mergeMetrics } from './merge-metrics.ts';

/** Whether each process of the fleet is ready; read from the table when it is asked for. */
export function measureInstances(table: Pick<InstanceTable, 'states'>, registry: Registry): void {
  new Gauge({
    name: 'bandit_instance_ready',
    help: '1 while the process is ready, by its name.',
    labelNames: ['name'],
    registers: [registry],
    collect() {
      for (const [name, state] of Object.entries(table.states())) {
        this.set({ name }, state === 'ready' ? 1 : 0);
      }
    },
  });
}

/** The gateway's own metrics and every process's; one that does not answer in time is left out. */
export async function collectMetrics(
  table: Pick<InstanceTable, 'listening'>,
  registry: Registry,
): Promise<string> {
  const asked = table.listening().map(async (instance) => ({
    instance: instance.name,
    text: await askInstance(instance, '/metrics', limits.healthCheckTimeoutMs, limits.gatewayMetricsBytesMax),
  }));
  const own = { instance: 'gateway', text: await registry.metrics() };
  const answered = (await Promise.all(asked)).filter(
    (one): one is { instance: string; text: string } => one.text !== undefined,
  );
  return mergeMetrics([own, ...answered]);
}
