export * from './ensure-fact-partitions.ts';
