/**
 * A process of the platform: what its services share, put together from the configuration. Owns everything it opens and
 * everything that is registered with `owns`. Modes: open (routes may be registered), starting (waits for the database, the
 * routes answer 503), started, closed. A kill -9 in any of them loses nothing that was answered.
 */
import type { Config } from '@bandit/config';
import type { DatabaseClock } from '@bandit/db';
import {
  createShutdown,
  registerHealth,
  registerStoreMetrics,
  type Shutdown,
  type ShutdownStep,
} from '@bandit/http';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { DatabaseTarget, Pools } from './database/open-pools.ts';
import { checkDatabase, DatabaseNotReadyError, waitForDatabase } from './database/wait-for-database.ts';
import type { GeneratedSecrets } from './generated-secrets.ts';
import { holdUntilStarted } from './hold-until-started.ts';
import { type Address, listen } from './listen.ts';
import { openParts } from './open-parts.ts';
import { openServer } from './open-server.ts';
import type { ProcessContext } from './process-context.ts';
import { registerBusMetrics } from './stores/carrier-metrics.ts';

export interface ProcessOptions {
  /** Name in metrics, the bus and the API document. */
  readonly service: string;
  readonly config: Config;
  readonly version: string;
  readonly log: Logger;
  readonly target: DatabaseTarget;
  /** Takes no requests: it needs neither configuration nor keys, and its login may not be allowed to read them. */
  readonly isLearnerOnly?: boolean;
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

/** Checks of what requests are answered from. */
const snapshots = ['configuration', 'state'];

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
  const { config, generated, log, monotonicMs, isLearnerOnly = false } = options;
  // What is opened later is closed first.
  const owns = (name: string, close: () => unknown): void => void steps.unshift({ name, close });
  const { parts, shared, clock } = openParts(options, owns);
  const registry = makeRegistry(parts.pools, clock);
  registerBusMetrics(registry, parts.bus);
  const { nowMs } = clock;
  const app = await openServer(options, nowMs, registry);
  let isStarted = false;
  const checks: Record<string, () => boolean> = { started: () => isStarted };
  if (!isLearnerOnly) checks.configuration = parts.directory.isReady;
  // The database may go again before the first snapshots came: what is not held yet must not be answered as unknown.
  holdUntilStarted(app, () => isStarted && snapshots.every((name) => checks[name]?.() ?? true));
  registerHealth(app as never, { checks, isDraining: shutdown.isDraining, registry });
  const works: (() => unknown)[] = [];
  const onStart = (work: () => unknown): void => void works.push(work);
  const surroundings = { app, config, generated, nowMs, monotonicMs, registry, log, owns, onStart, checks };
  const stopping = new AbortController();
  const attempt = async (): Promise<void> => {
    await options.prepare?.();
    await checkDatabase(shared);
    await clock.refresh();
    if (!isLearnerOnly && !(await parts.ids.load()))
      throw new DatabaseNotReadyError('there is no key for assignment ids: run "migrate"');
  };
  return {
    context: { ...parts, ...surroundings },
    start: async () => {
      await waitForDatabase({ attempt, log, signal: stopping.signal });
      if (!isLearnerOnly) {
        parts.ids.follow();
        await parts.directory.start();
      }
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

function makeRegistry(pools: Pools, clock: DatabaseClock): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  registerStoreMetrics(registry, {
    pools: pools.counts,
    clockAgeSeconds: () => clock.offsetAgeMs() / 1_000,
  });
  return registry;
}
