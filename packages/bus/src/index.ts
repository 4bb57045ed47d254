export * from './bus-errors.ts';
export * from './in-process-bus.ts';
export * from './subject-pattern.ts';
