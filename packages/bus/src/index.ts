export * from './bus-errors.ts';
export * from './in-process-bus.ts';
export {
  createNatsBus,
  type NatsBus,
  type NatsBusOptions,
} from './nats/create-nats-bus.ts';
export type { NatsLog } from './nats/nats-connection.ts';
export * from './subject-pattern.ts';
