/** Own instances of the real stores on free ports, for tests that stop and kill them. */

export { hasPostgresServer } from './postgres/find-postgres-server.ts';
export { type PostgresOptions, type PostgresServer, startPostgres } from './postgres/start-postgres.ts';
