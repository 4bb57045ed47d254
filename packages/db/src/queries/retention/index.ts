export * from './analyze-tables.ts';
export * from './ensure-fact-partitions.ts';
export * from './find-key-times.ts';
export * from './run-retention.ts';
