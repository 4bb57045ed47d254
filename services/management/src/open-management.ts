import { randomBytes } from 'node:crypto';
import { makeApiKey } from '@bandit/auth';
import { createRng } from '@bandit/core';
import { createRetentionTask, openSessions, type ProcessContext, startUpkeep } from '@bandit/process';
import { buildApp } from './build-app.ts';
import { createAccess } from './create-access.ts';
import type { ManagementDeps } from './management-deps.ts';
import { createManagementRuntime } from './management-runtime.ts';
import { connectAi } from './variants/connect-ai.ts';

/** Experiments, funnels, results, people and keys; with an AI provider where one is configured. */
export async function openManagement(context: ProcessContext): Promise<ManagementDeps> {
  const { app, config, pools, bus, records, ids, directory, keys, nowMs, registry, log, owns, onStart } =
    context;
  const environment = config.isProduction ? 'live' : 'test';
  const rng = createRng(randomBytes(8).readBigUInt64LE());
  const db = pools.open('management');
  const ai = config.ai && connectAi({ settings: config.ai, rng, nowMs });
  if (ai !== undefined) owns('AI connections', ai.close);
  const deps: ManagementDeps = {
    db,
    bus,
    nowMs,
    randomBytes,
    confirmConfiguration: directory.confirm,
    access: createAccess(keys, await openSessions(context)),
    makeApiKey: () => makeApiKey(environment, randomBytes),
    signAssignment: ids.sign,
    hashSubject: ids.hashSubject,
    hasSharedStores: records !== undefined,
    lateAssignments: context.lateAssignments,
    platformToken: config.platformToken,
    ai,
  };
  const runtime = createManagementRuntime({ ...deps, log });
  owns('scheduler', runtime.close);
  const { retentionMs } = config;
  const retain =
    retentionMs === undefined ? undefined : createRetentionTask({ db, retentionMs, log, registry });
  onStart(() => {
    owns('upkeep', startUpkeep({ db, isEmbedded: config.databaseUrl === undefined, log, retain }).close);
    runtime.start();
  });
  await app.register(buildApp(deps));
  return deps;
}
