import { randomBytes } from 'node:crypto';
import { buildApp as buildAssignment, createAssignmentRuntime } from '@bandit/assignment';
import {
  type AssignmentIdCodec,
  createApiKeyGuard,
  createJwtReader,
  createNextAuthReader,
  createProxyTrust,
  createSessionGuard,
  makeApiKey,
} from '@bandit/auth';
import { createInProcessBus } from '@bandit/bus';
import { createInProcessCache } from '@bandit/cache';
import type { Config } from '@bandit/config';
import { limits } from '@bandit/contracts';
import { createRng } from '@bandit/core';
import { findApiKey, findMember, listCompanyVersions, loadCompanies, touchApiKeys } from '@bandit/db';
import { createDirectory, createKeyUsage } from '@bandit/directory';
import type { HttpServer, ShutdownStep } from '@bandit/http';
import {
  buildApp as buildIngest,
  createAcceptMetrics,
  createAcceptRuntime,
  createLearnerMetrics,
  createLearnerRuntime,
} from '@bandit/ingest';
import {
  buildApp as buildManagement,
  connectAi,
  createManagementRuntime,
  type ManagementDeps,
} from '@bandit/management';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { createAccess } from './access.ts';
import type { OpenStore } from './open-store.ts';
import type { LocalSecrets } from './secrets.ts';

export interface ServicesOptions {
  readonly app: HttpServer;
  readonly config: Config;
  readonly secrets: LocalSecrets | undefined;
  readonly store: OpenStore;
  readonly ids: AssignmentIdCodec;
  readonly nowMs: () => number;
  readonly registry: Registry;
  readonly log: Logger;
}

export interface RunningServices {
  readonly management: ManagementDeps;
  readonly checks: Readonly<Record<string, () => boolean>>;
  /** In the order they were started. */
  readonly steps: readonly ShutdownStep[];
  /** Reloads the configuration now. */
  refresh(): Promise<void>;
}

/** Starts what runs beside the routes and registers the routes of all three services. */
export async function runServices(options: ServicesOptions): Promise<RunningServices> {
  const { app, config, store, ids, nowMs, registry, log } = options;
  const steps: ShutdownStep[] = [];
  const owns = (name: string, close: () => unknown): void => void steps.push({ name, close });

  const bus = createInProcessBus({ log });
  owns('bus', bus.close);
  const cache = createInProcessCache({ nowMs, entriesMax: limits.inProcessCacheEntriesMax });
  owns('cache', cache.close);
  const directory = createDirectory({
    loadVersions: () => listCompanyVersions(store.accept),
    loadCompanies: (companyIds) => loadCompanies(store.accept, companyIds),
    findApiKey: (keyId) => findApiKey(store.accept, keyId),
    subscribeConfig: (handler) => bus.subscribe('config.*', (_subject, payload) => handler(payload)),
    nowMs,
    log,
  });
  await directory.start();
  owns('directory', directory.close);
  const keyUsage = createKeyUsage({ write: (uses) => touchApiKeys(store.management, uses), nowMs, log });
  keyUsage.start();
  owns('key usage', keyUsage.close);
  const access = await openAccess(options, directory, keyUsage.note);

  const learner = createLearnerRuntime({
    db: store.learner,
    bus,
    nowMs,
    log,
    isShared: config.databaseUrl !== undefined,
    randomBytes,
    metrics: createLearnerMetrics(registry),
  });
  await learner.start();
  owns('learner', learner.close);
  const accept = createAcceptRuntime({
    db: store.accept,
    bus,
    ids,
    findExperiment: directory.findExperiment,
    nowMs,
    randomBytes,
    retentionMs: undefined,
    metrics: createAcceptMetrics(registry),
  });
  owns('ingest', accept.close);
  const assignment = createAssignmentRuntime({
    db: store.assignment,
    bus,
    cache,
    isCacheShared: false,
    ids,
    directory,
    rng: createRng(randomBytes(8).readBigUInt64LE()),
    randomBytes,
    fallbackKey: randomBytes(16),
    nowMs,
    log,
    registry,
    ...(config.databaseUrl === undefined ? { commitTimeoutMs: limits.embeddedCommitTimeoutMs } : {}),
  });
  await assignment.start();
  owns('assignment', assignment.close);
  const management = openManagement(options, bus, access.management, owns);

  await app.register(
    buildAssignment({
      runtime: assignment,
      keyGuard: access.keys,
      findExperiment: directory.findExperiment,
      nowMs,
    }),
  );
  await app.register(buildIngest({ runtime: accept, access: access.ingest, nowMs }));
  await app.register(buildManagement(management));
  return {
    management,
    checks: { configuration: directory.isReady, state: assignment.isReady },
    steps,
    refresh: directory.poll,
  };
}

type Directory = ReturnType<typeof createDirectory>;

async function openAccess(
  { app, config, secrets, store, nowMs }: ServicesOptions,
  directory: Directory,
  onUsed: (companyId: string, apiKeyId: string) => void,
) {
  const keys = createApiKeyGuard({ findKey: directory.findKey, loadKey: directory.loadKey, nowMs, onUsed });
  const orLocal = (configured: readonly string[], local: string | undefined): readonly string[] =>
    configured.length > 0 || local === undefined ? configured : [local];
  const cookieSecrets = [...config.authSecrets, ...config.nextAuthSecrets];
  const sessions = createSessionGuard({
    findMember: async (email) => {
      const member = await findMember(store.management, email);
      return member && { companyId: member.companyId, memberId: member.memberId, role: member.role };
    },
    nextAuth: createNextAuthReader(orLocal(cookieSecrets, secrets?.auth)),
    jwt: await createJwtReader(app as never, orLocal(config.jwtSecrets, secrets?.jwt)),
    proxies: createProxyTrust(config.trustedProxies, config.isProduction),
    allowedOrigins: config.corsOrigins,
    nowMs,
  });
  return createAccess(keys, sessions);
}

function openManagement(
  { config, store, ids, nowMs, log }: ServicesOptions,
  bus: ReturnType<typeof createInProcessBus>,
  access: ManagementDeps['access'],
  owns: (name: string, close: () => unknown) => void,
): ManagementDeps {
  const ai =
    config.ai && connectAi({ settings: config.ai, rng: createRng(randomBytes(8).readBigUInt64LE()), nowMs });
  if (ai !== undefined) owns('AI connections', ai.close);
  const deps: ManagementDeps = {
    db: store.management,
    bus,
    nowMs,
    randomBytes,
    access,
    makeApiKey: () => makeApiKey(config.isProduction ? 'live' : 'test', randomBytes),
    signAssignment: ids.sign,
    platformToken: config.platformToken,
    ai,
  };
  const runtime = createManagementRuntime({ ...deps, log });
  runtime.start();
  owns('scheduler', runtime.close);
  return deps;
}
