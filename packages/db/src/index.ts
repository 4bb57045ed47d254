export {
  createDatabaseClock,
  type DatabaseClock,
  type DatabaseClockOptions,
} from './database-clock.ts';
export type * from './database-log.ts';
export * from './embedded/start-embedded.ts';
export * from './ensure-log-epoch.ts';
export * from './group-commit.ts';
export * from './migrate.ts';
export * from './missing-migrations.ts';
export * from './open-database.ts';
export * from './partition-of-experiment.ts';
export * from './queries/assignments/index.ts';
export * from './queries/directory/index.ts';
export * from './queries/erasure/index.ts';
export * from './queries/events/index.ts';
export * from './queries/learner/index.ts';
export * from './queries/mac-keys/index.ts';
export * from './queries/management/index.ts';
export * from './queries/retention/index.ts';
export * from './queries/variants/index.ts';
export type * from './schema.ts';
export * from './store-errors.ts';
export * from './with-company.ts';
