export * from './accept-events.ts';
export * from './event-keys.ts';
export * from './resolve-assignments.ts';
export * from './stored-assignment.ts';
