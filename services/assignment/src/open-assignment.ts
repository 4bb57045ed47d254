import { randomBytes } from 'node:crypto';
import { type AssignmentRuntime, buildApp, createAssignmentRuntime } from '@bandit/assignment';
import { createInProcessCache } from '@bandit/cache';
import { limits } from '@bandit/contracts';
import { createRng } from '@bandit/core';
import type { Access } from './access.ts';
import type { LiveContext } from './services-context.ts';

/** Answers "which treatment?". */
export async function openAssignment(context: LiveContext, access: Access): Promise<AssignmentRuntime> {
  const { app, config, store, bus, ids, directory, nowMs, registry, log, owns } = context;
  const cache = createInProcessCache({ nowMs, entriesMax: limits.inProcessCacheEntriesMax });
  owns('cache', cache.close);
  const runtime = createAssignmentRuntime({
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
    // The embedded database is never away, only busy: waiting beats answering without a record.
    ...(config.databaseUrl === undefined ? { commitTimeoutMs: limits.embeddedCommitTimeoutMs } : {}),
  });
  owns('assignment', runtime.close);
  await runtime.start();
  const { findExperiment, confirm: confirmConfiguration } = directory;
  await app.register(
    buildApp({ runtime, keyGuard: access.keys, findExperiment, confirmConfiguration, nowMs }),
  );
  return runtime;
}
