import { limits } from '@bandit/contracts';
import pg from 'pg';

/** One number for all versions of the platform. */
const lockKey = 7_220_151_119;

/**
 * Without a shared bus a second process on the same database would answer from state that it never hears about: it is
 * refused. The lock lives with a connection of its own and goes with it, however the process ends.
 *
 * @returns how to give the lock back
 * @throws Error when another process holds it
 */
export async function acquireSingleProcessLock(connectionString: string): Promise<() => Promise<void>> {
  const client = new pg.Client({
    connectionString,
    connectionTimeoutMillis: limits.databaseConnectTimeoutMs,
    query_timeout: limits.databaseStatementTimeoutMs,
    keepAlive: true,
    application_name: 'bandit single-process lock',
  });
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
    lockKey,
  ]);
  if (rows[0]?.locked === true) return () => client.end();
  await client.end();
  throw new Error(
    'another process of the platform runs on this database: without a shared bus only one may. Stop it first.',
  );
}
