import { randomBytes } from 'node:crypto';
import { makeApiKey } from '@bandit/auth';
import { createRng } from '@bandit/core';
import { buildApp, connectAi, createManagementRuntime, type ManagementDeps } from '@bandit/management';
import type { Access } from './access.ts';
import type { LiveContext } from './services-context.ts';

/** Experiments, funnels, results, people and keys; with an AI provider where one is configured. */
export async function openManagement(context: LiveContext, access: Access): Promise<ManagementDeps> {
  const { app, config, store, bus, ids, directory, nowMs, log, owns } = context;
  const environment = config.isProduction ? 'live' : 'test';
  const rng = createRng(randomBytes(8).readBigUInt64LE());
  const ai = config.ai && connectAi({ settings: config.ai, rng, nowMs });
  if (ai !== undefined) owns('AI connections', ai.close);
  const deps: ManagementDeps = {
    db: store.management,
    bus,
    nowMs,
    randomBytes,
    confirmConfiguration: directory.confirm,
    access: access.management,
    makeApiKey: () => makeApiKey(environment, randomBytes),
    signAssignment: ids.sign,
    platformToken: config.platformToken,
    ai,
  };
  const runtime = createManagementRuntime({ ...deps, log });
  owns('scheduler', runtime.close);
  runtime.start();
  await app.register(buildApp(deps));
  return deps;
}
