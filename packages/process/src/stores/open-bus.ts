import { createInProcessBus, createNatsBus } from '@bandit/bus';
import type { Config } from '@bandit/config';
import type { Bus, RecordStream } from '@bandit/contracts';
import type { Logger } from 'pino';

export interface OpenedBus {
  readonly bus: Bus;
  readonly records: RecordStream | undefined;
  close(): Promise<void>;
}

/** NATS where it is configured, else a bus inside this process. @param rng uniform on [0, 1) */
export function openBus(config: Config, name: string, log: Logger, rng: () => number): OpenedBus {
  const { natsUrl, natsReplicas, natsPrefix } = config;
  if (natsUrl === undefined) {
    const bus = createInProcessBus({ log });
    return { bus, records: undefined, close: bus.close };
  }
  const prefix = natsPrefix === undefined ? {} : { prefix: natsPrefix };
  return createNatsBus({ url: natsUrl, name, replicas: natsReplicas, ...prefix, rng, log });
}
