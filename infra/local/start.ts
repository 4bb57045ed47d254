/**
 * The embedded default: assignment, ingest, learner and management in this one process, on one port. The same apps run
 * as processes of their own; what differs is only what is passed in.
 *
 * Owns everything it opens. Stops in order: first readiness, then what takes requests in, then what works on what was
 * taken in, last the stores. A kill -9 at any point loses nothing that was answered.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { createInProcessBus } from '@bandit/bus';
import type { Config } from '@bandit/config';
import { createDatabaseClock } from '@bandit/db';
import {
  createHttpServer,
  createShutdown,
  registerHealth,
  registerStoreMetrics,
  type ShutdownStep,
} from '@bandit/http';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { type FirstRun, makeFirstCompany } from './first-run.ts';
import { openAssignmentIds } from './mac-keys.ts';
import { openStore } from './open-store.ts';
import { runServices } from './run-services.ts';
import { type LocalSecrets, loadLocalSecrets } from './secrets.ts';
import { callerIdOf } from './services/access.ts';
import { startUpkeep } from './upkeep.ts';

export interface StartOptions {
  readonly config: Config;
  readonly version: string;
  readonly log: Logger;
  /** Milliseconds of a monotonic clock, and of the machine's clock for the first guess of database time. */
  readonly monotonicMs: () => number;
  readonly machineMs: () => number;
  /** The embedded database stopped by itself: the process must end. */
  readonly onLost: (error: Error) => void;
}

export interface Platform {
  /** Where it listens. */
  readonly url: string;
  /** The first company, when this start made it. */
  readonly firstRun: FirstRun | undefined;
  /** @returns the names of parts that did not stop in order */
  close(): Promise<string[]>;
}

/** Opens the stores, starts the services and listens. @throws with everything it had opened closed again */
export async function startPlatform(options: StartOptions): Promise<Platform> {
  const steps: ShutdownStep[] = [];
  const shutdown = createShutdown({ steps, log: options.log, monotonicMs: options.monotonicMs });
  try {
    return await start(options, steps, shutdown);
  } catch (error) {
    await shutdown.close();
    throw error;
  }
}

async function start(
  { config, version, log, monotonicMs, machineMs, onLost }: StartOptions,
  steps: ShutdownStep[],
  shutdown: ReturnType<typeof createShutdown>,
): Promise<Platform> {
  // What is opened later is closed first.
  const owns = (name: string, close: () => unknown): void => void steps.unshift({ name, close });
  const isEmbedded = config.databaseUrl === undefined;
  const secrets = isEmbedded ? await loadLocalSecrets(config.dataDir) : undefined;

  const startedAt = new Date(machineMs()).toISOString();
  const store = await openStore({
    databaseUrl: config.databaseUrl,
    dataDir: config.dataDir,
    startedAt,
    log,
    onLost,
  });
  owns('database', store.close);
  owns('upkeep', startUpkeep(store.management, isEmbedded, log).close);
  const clock = createDatabaseClock({
    db: store.management,
    monotonicMs,
    pollMs: clockPollMs,
    startMs: machineMs(),
    log,
  });
  owns('clock', clock.close);
  await clock.refresh();
  const ids = await openAssignmentIds(store.management, assignmentSecret(config, secrets), randomBytes);

  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registerStoreMetrics(registry, {
    pools: store.pools,
    clockAgeSeconds: () => clock.offsetAgeMs() / 1_000,
  });
  const app = await createHttpServer({
    service: 'platform',
    version,
    logger: log,
    nowMs: clock.nowMs,
    isProduction: config.isProduction,
    registry,
    makeRequestId: randomUUID,
    rateLimits: { perCaller: config.rateLimitPerKey, perPeer: config.rateLimitPerPeer, callerOf: callerIdOf },
    corsOrigins: config.corsOrigins,
  });
  const bus = createInProcessBus({ log });
  owns('bus', bus.close);
  const context = { app, config, secrets, store, ids, bus, nowMs: clock.nowMs, registry, log, owns };
  const services = await runServices(context);
  registerHealth(app as never, { checks: services.checks, isDraining: shutdown.isDraining, registry });
  const firstRun = await makeFirstCompany(store.management, services.management, config.bootstrapAdminEmail);
  if (firstRun !== undefined) await services.reload();
  const url = await app.listen({ host: config.host, port: config.port });
  owns('server', () => app.close());
  return { url, firstRun, close: shutdown.close };
}

const clockPollMs = 1_000;

function assignmentSecret(config: Config, secrets: LocalSecrets | undefined): string {
  const secret = config.assignmentSecret ?? secrets?.assignment;
  if (secret === undefined) throw new Error('ASSIGNMENT_SECRET must be set with DATABASE_URL');
  return secret;
}
