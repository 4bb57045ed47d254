import { randomBytes } from 'node:crypto';
import { makeApiKey } from '@bandit/auth';
import { createDatabaseClock, type OpenedDatabase, openDatabase } from '@bandit/db';
import { createCompany } from '@bandit/management';
import { prepareDatabase } from '@bandit/process';
import {
  hasNatsServer,
  hasPostgresServer,
  hasRedisServer,
  type NatsServer,
  type PostgresOptions,
  type PostgresServer,
  type RedisServer,
  startNats,
  startPostgres,
  startRedis,
  startTcpProxy,
  type TcpProxy,
} from '@bandit/test-stores';
import type { Test } from 'tap';
import { productionSecrets } from '../platform/production.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Stores of the test's own, so that it may cut, stop and empty them, with a first company on them. */
export interface OwnStores {
  readonly postgres: PostgresServer;
  readonly nats: NatsServer;
  readonly redis: RedisServer;
  /** Between every process and NATS. */
  readonly natsProxy: TcpProxy;
  /** A pool of the test's own. */
  readonly db: OpenedDatabase['db'];
  readonly companyId: string;
  readonly apiKey: string;
  /** What a process of the platform is started with. */
  readonly env: Readonly<Record<string, string>>;
}

/** Why the stores cannot be started here; undefined when they can. */
export function whyNoStores(): string | undefined {
  const missing = [
    ...(hasPostgresServer() ? [] : ['Postgres']),
    ...(hasNatsServer() ? [] : ['NATS']),
    ...(hasRedisServer() ? [] : ['Redis']),
  ];
  return missing.length === 0 ? undefined : `no server of ${missing.join(', ')} is installed here`;
}

/** Runs the test on real stores; a loud skip without them, and a failure where CI_REQUIRE_STORES=1. */
export function testOnStores(t: Test, name: string, work: (t: Test) => Promise<void>): void {
  const reason = whyNoStores();
  if (reason === undefined) return void t.test(name, work);
  if (process.env.CI_REQUIRE_STORES === '1')
    return void t.test(name, async (t) => t.fail(`CI_REQUIRE_STORES=1, but ${reason}`));
  console.warn(`NOT TESTED ON REAL STORES: ${name} (${reason})`);
  t.test(name, { skip: reason }, () => undefined);
}

export async function startOwnStores(t: Test, options: PostgresOptions = {}): Promise<OwnStores> {
  const [postgres, nats, redis] = await Promise.all([
    startPostgres({ ...options, settings: { max_connections: '300', ...options.settings } }),
    startNats(),
    startRedis(),
  ]);
  t.teardown(() => Promise.all([postgres.stop(), nats.stop(), redis.stop()]).then(() => undefined));
  const natsProxy = await startTcpProxy({ targetPort: nats.port });
  t.teardown(() => natsProxy.close());
  const { connectionString } = postgres;
  await prepareDatabase({
    target: { connectionString },
    secret: productionSecrets.ASSIGNMENT_SECRET,
    randomBytes,
    log: silent,
  });
  const opened = openDatabase({ connectionString, max: 4, log: silent });
  t.teardown(() => opened.close());
  const company = await makeCompany(opened.db);
  const env = {
    ...productionSecrets,
    DATABASE_URL: connectionString,
    NATS_URL: `nats://127.0.0.1:${natsProxy.port}`,
    REDIS_URL: redis.url,
  };
  return { postgres, nats, redis, natsProxy, db: opened.db, ...company, env };
}

async function makeCompany(db: OpenedDatabase['db']): Promise<{ companyId: string; apiKey: string }> {
  const clock = createDatabaseClock({ db, monotonicMs: () => performance.now(), pollMs: 0 });
  await clock.refresh();
  const deps = {
    db,
    randomBytes,
    nowMs: clock.nowMs,
    makeApiKey: () => makeApiKey('live', randomBytes),
    // No process runs yet that would have to hear of it.
    bus: { publish: () => undefined },
  };
  const { id, apiKey } = await createCompany(deps, { name: 'Tested', adminEmail: 'admin@example.com' });
  return { companyId: id, apiKey };
}
