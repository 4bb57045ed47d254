import { randomBytes } from 'node:crypto';
import {
  buildApp,
  createAcceptMetrics,
  createAcceptRuntime,
  createLearnerMetrics,
  createLearnerRuntime,
  type LearnerRuntime,
} from '@bandit/ingest';
import type { Access } from './access.ts';
import type { LiveContext } from './services-context.ts';

/** Takes events, and learns from what is stored. */
export async function openIngest(context: LiveContext, access: Access): Promise<LearnerRuntime> {
  const { app, config, store, bus, ids, directory, nowMs, registry, log, owns } = context;
  const learner = createLearnerRuntime({
    db: store.learner,
    bus,
    nowMs,
    log,
    isShared: config.databaseUrl !== undefined,
    randomBytes,
    metrics: createLearnerMetrics(registry),
  });
  owns('learner', learner.close);
  await learner.start();
  const accept = createAcceptRuntime({
    db: store.accept,
    bus,
    ids,
    findExperiment: directory.findExperiment,
    confirmConfiguration: directory.confirm,
    nowMs,
    randomBytes,
    retentionMs: undefined,
    metrics: createAcceptMetrics(registry),
  });
  owns('ingest', accept.close);
  await app.register(buildApp({ runtime: accept, access: access.ingest, nowMs }));
  return learner;
}
