/**
 * A process of the platform: what its services share, put together from the configuration. Owns everything it opens and
 * everything that is registered with `owns`. Modes: open (routes may be registered), starting (waits for the database, the
 * routes answer 503), started, closed. A kill -9 in any of them loses nothing that was answered.
 */
import { randomUUID } from 'node:crypto';
import type { Config } from '@bandit/config';
import { createDatabaseClock, type DatabaseClock } from '@bandit/db';
import {
  createHttpServer,
  createShutdown,
  type HttpServer,
  registerHealth,
  registerStoreMetrics,
  type Shutdown,
  type ShutdownStep,
} from '@bandit/http';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { callerIdOf } from './access/caller-id.ts';
import { openKeys } from './access/open-keys.ts';
import { assignmentSecretOf } from './assignment-secret.ts';
import { openAssignmentIds } from './database/assignment-ids.ts';
import { type DatabaseTarget, openPools } from './database/open-pools.ts';
import { checkDatabase, DatabaseNotReadyError, waitForDatabase } from './database/wait-for-database.ts';
import type { GeneratedSecrets } from './generated-secrets.ts';
import { holdUntilStarted } from './hold-until-started.ts';
import { type Address, listen } from './listen.ts';
import { openDirectory } from './open-directory.ts';
import type { ProcessContext } from './process-context.ts';
import { openBus } from './stores/open-bus.ts';

export interface ProcessOptions {
  /** Name in metrics, the bus and the API document. */
  readonly service: string;
  readonly config: Config;
  readonly version: string;
  readonly log: Logger;
  readonly target: DatabaseTarget;
  readonly generated?: GeneratedSecrets | undefined;
  /** Brings the database to where this code needs it; undefined: somebody else does, and the process waits for it. */
  readonly prepare?: (() => Promise<unknown>) | undefined;
  /** A clock that never steps back, and the machine's for a first guess at database time. Milliseconds. */
  readonly monotonicMs: () => number;
  readonly machineMs: () => number;
  /** Uniform on [0, 1); spreads attempts. */
  readonly rng: () => number;
}

export interface OpenedProcess {
  readonly context: ProcessContext;
  /** Waits for the database, then starts what was registered with `onStart`. @throws what waiting does not mend */
  start(): Promise<void>;
  /** After the routes are registered. */
  listen(): Promise<Address>;
  /** @returns the names of parts that did not stop in order */
  close(): Promise<string[]>;
}

const clockPollMs = 1_000;

export async function openProcess(options: ProcessOptions): Promise<OpenedProcess> {
  const steps: ShutdownStep[] = [];
  const shutdown = createShutdown({ steps, log: options.log, monotonicMs: options.monotonicMs });
  try {
    return await open(options, steps, shutdown);
  } catch (error) {
    await shutdown.close();
    throw error;
  }
}

async function open(
  options: ProcessOptions,
  steps: ShutdownStep[],
  shutdown: Shutdown,
): Promise<OpenedProcess> {
  const { service, config, generated, log, monotonicMs, rng } = options;
  // What is opened later is closed first.
  const owns = (name: string, close: () => unknown): void => void steps.unshift({ name, close });
  const pools = openPools(options.target, config.databasePoolMax, log);
  owns('database', pools.close);
  const shared = pools.open('shared');
  const clock = createDatabaseClock({
    db: shared,
    monotonicMs,
    pollMs: clockPollMs,
    startMs: options.machineMs(),
    log,
  });
  owns('clock', clock.close);
  const { nowMs } = clock;
  const { bus, records, close: closeBus } = openBus(config, `bandit ${service}`, log, rng);
  owns('bus', closeBus);
  const secret = assignmentSecretOf(config, generated);
  const ids = openAssignmentIds({ db: shared, secret, nowMs, log });
  owns('assignment ids', ids.close);
  const directory = openDirectory({ db: shared, bus, nowMs, log });
  owns('directory', directory.close);
  const keys = openKeys({ db: shared, directory, nowMs, log, owns });

  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registerStoreMetrics(registry, {
    pools: pools.counts,
    clockAgeSeconds: () => clock.offsetAgeMs() / 1_000,
  });
  const app = await openServer(options, nowMs, registry);
  let isStarted = false;
  holdUntilStarted(app, () => isStarted);
  const works: (() => unknown)[] = [];
  const checks: Record<string, () => boolean> = {
    started: () => isStarted,
    configuration: directory.isReady,
  };
  registerHealth(app as never, { checks, isDraining: shutdown.isDraining, registry });
  const context: ProcessContext = {
    ...{
      app,
      config,
      generated,
      pools,
      bus,
      records,
      ids,
      directory,
      keys,
      nowMs,
      monotonicMs,
      registry,
      log,
      owns,
    },
    onStart: (work) => void works.push(work),
    checks,
  };
  const stopping = new AbortController();
  const attempt = async (): Promise<void> => {
    await options.prepare?.();
    await checkDatabase(shared);
    await clock.refresh();
    if (!(await ids.load()))
      throw new DatabaseNotReadyError('there is no key for assignment ids: run "migrate"');
  };
  return {
    context,
    start: async () => {
      await waitForDatabase({ attempt, log, signal: stopping.signal });
      ids.follow();
      await directory.start();
      for (const work of works) await work();
      isStarted = true;
    },
    listen: async () => {
      const address = await listen(app, config);
      owns('server', () => app.close());
      return address;
    },
    close: () => {
      stopping.abort();
      return shutdown.close();
    },
  };
}

function openServer(
  { service, version, config, log }: ProcessOptions,
  nowMs: DatabaseClock['nowMs'],
  registry: Registry,
): Promise<HttpServer> {
  return createHttpServer({
    service,
    version,
    logger: log,
    nowMs,
    isProduction: config.isProduction,
    registry,
    makeRequestId: randomUUID,
    rateLimits: {
      perCaller: config.rateLimitPerKey,
      perPeer: config.rateLimitPerPeer,
      callerOf: callerIdOf,
    },
    corsOrigins: config.corsOrigins,
  });
}
