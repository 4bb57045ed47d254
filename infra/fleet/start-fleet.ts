/**
 * The whole platform as several processes behind one port. Owns the gateway, the processes and the folder of their sockets;
 * everything that must last is in the stores. Stops in order: the gateway takes nothing more and finishes what runs, then
 * the processes end, services that take requests first.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createShutdown, type HttpServer } from '@bandit/http';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { createGateway } from './gateway/create-gateway.ts';
import { createInstanceTable, type InstanceTable, serviceNames } from './instance-table.ts';
import { createSupervisor } from './supervisor/create-supervisor.ts';
import type { ProcessPlan } from './supervisor/process-run.ts';

export interface FleetOptions {
  readonly plans: readonly ProcessPlan[];
  readonly host: string;
  readonly port: number;
  readonly version: string;
  readonly log: Logger;
  readonly writeLine: (line: string) => void;
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  readonly isProduction: boolean;
  readonly trustedProxies: readonly string[] | undefined;
  readonly rateLimitPerPeer: number;
  readonly corsOrigins: readonly string[];
}

export interface Fleet {
  readonly url: string;
  /** True once every service has a ready process; false when the fleet was stopped before. */
  ready(): Promise<boolean>;
  /** Replaces every process, one after another. */
  roll(): Promise<void>;
  /** @returns the names of parts that did not stop in order */
  stop(): Promise<string[]>;
  /** Ends every process now. */
  kill(): void;
}

/** Above what a Unix socket's address may hold lies a path that nobody can listen on. */
const socketPathBytesMax = 107;
const socketNameBytesMax = 40;
const readyLookMs = 50;

/** Listens, and starts the processes. @throws when the port or the folder is not to be had, with nothing started */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { plans, log, writeLine, nowMs, monotonicMs } = options;
  const folder = await makeSocketFolder();
  const table = createInstanceTable();
  const fleetLog = log.child({ process: 'fleet' });
  const supervisor = createSupervisor({ plans, table, folder, log: fleetLog, writeLine, nowMs, monotonicMs });
  let isStopping = false;
  const app = await openGateway(options, table, () => isStopping);
  const steps = [{ name: 'gateway', close: () => app.close() }];
  const gateway = createShutdown({ steps, log: fleetLog, monotonicMs });
  const stop = async (): Promise<string[]> => {
    isStopping = true;
    const failed = await gateway.close();
    await supervisor.stop();
    await rm(folder, { recursive: true, force: true });
    return failed;
  };
  try {
    const url = await app.listen({ host: options.host, port: options.port });
    supervisor.start();
    let stopping: Promise<string[]> | undefined;
    return {
      url,
      ready: () => waitUntilReady(table, () => isStopping),
      roll: supervisor.roll,
      stop: () => {
        stopping ??= stop();
        return stopping;
      },
      kill: supervisor.kill,
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function openGateway(
  options: FleetOptions,
  table: InstanceTable,
  isDraining: () => boolean,
): Promise<HttpServer> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const { version, nowMs, monotonicMs, isProduction, trustedProxies, rateLimitPerPeer, corsOrigins } =
    options;
  return createGateway({
    table,
    version,
    log: options.log.child({ process: 'gateway' }),
    nowMs,
    monotonicMs,
    registry,
    makeRequestId: randomUUID,
    isProduction,
    trustedProxies,
    rateLimitPerPeer,
    corsOrigins,
    isDraining,
  });
}

/** Nobody else may enter: whoever reaches a socket is taken for the gateway. mkdtemp makes it 0700. */
async function makeSocketFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bandit-fleet-'));
  if (Buffer.byteLength(folder) + socketNameBytesMax > socketPathBytesMax) {
    await rm(folder, { recursive: true });
    throw new Error(
      `the folder for temporary files (TMPDIR) is too long for sockets: ${tmpdir()} may have ${socketPathBytesMax - socketNameBytesMax - 20} bytes`,
    );
  }
  return folder;
}

async function waitUntilReady(table: InstanceTable, isStopping: () => boolean): Promise<boolean> {
  while (!isStopping()) {
    if (serviceNames.every((service) => table.isReady(service))) return true;
    await wait(readyLookMs);
  }
  return false;
}
