import { randomBytes } from 'node:crypto';
import { limits } from '@bandit/contracts';
import { createRng } from '@bandit/core';
import { assignmentSecretOf, deriveFallbackKey, openCache, type ProcessContext } from '@bandit/process';
import { type AssignmentRuntime, createAssignmentRuntime } from './assignment-runtime.ts';
import { buildApp } from './build-app.ts';

/** Answers "which treatment?" in this process: routes now, hot state from the start on. */
export async function openAssignment(context: ProcessContext): Promise<AssignmentRuntime> {
  const { app, config, pools, bus, records, ids, directory, keys, nowMs, registry, log, owns } = context;
  const { cache, isShared } = openCache(context);
  const runtime = createAssignmentRuntime({
    db: pools.open('assignment'),
    bus,
    records,
    cache,
    isCacheShared: isShared,
    ids,
    directory,
    rng: createRng(randomBytes(8).readBigUInt64LE()),
    randomBytes,
    fallbackKey: deriveFallbackKey(assignmentSecretOf(config, context.generated)),
    nowMs,
    log,
    registry,
    // The embedded database is never away, only busy: waiting beats answering without a record.
    ...(config.databaseUrl === undefined ? { commitTimeoutMs: limits.embeddedCommitTimeoutMs } : {}),
  });
  owns('assignment', runtime.close);
  context.onStart(runtime.start);
  context.checks.state = runtime.isReady;
  const { findExperiment, confirm: confirmConfiguration } = directory;
  await app.register(buildApp({ runtime, keyGuard: keys, findExperiment, confirmConfiguration, nowMs }));
  return runtime;
}
