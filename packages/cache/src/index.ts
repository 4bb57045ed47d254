export * from './in-process-cache.ts';
