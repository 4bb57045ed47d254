import { randomBytes } from 'node:crypto';
import { getPrincipal } from '@bandit/auth';
import type { ProcessContext } from '@bandit/process';
import { createAcceptMetrics } from './accept/accept-metrics.ts';
import { createAcceptRuntime } from './accept/accept-runtime.ts';
import { buildApp } from './build-app.ts';
import { createLearnerMetrics } from './learner/learner-metrics.ts';
import { createLearnerRuntime } from './learner/learner-runtime.ts';

/** Takes events, learns from what is stored, or both: by INGEST_PARTS. */
export async function openIngest(context: ProcessContext): Promise<void> {
  const { ingestParts } = context.config;
  if (ingestParts.includes('learner')) openLearner(context);
  if (ingestParts.includes('accept')) await openAccept(context);
}

function openLearner({
  config,
  pools,
  bus,
  nowMs,
  registry,
  log,
  owns,
  onStart,
  checks,
}: ProcessContext): void {
  const learner = createLearnerRuntime({
    db: pools.open('learner'),
    bus,
    nowMs,
    log,
    isShared: config.databaseUrl !== undefined,
    randomBytes,
    metrics: createLearnerMetrics(registry),
  });
  owns('learner', learner.close);
  onStart(learner.start);
  checks.learner = learner.isReady;
}

async function openAccept(context: ProcessContext): Promise<void> {
  const { app, config, pools, bus, ids, directory, keys, nowMs, registry, owns } = context;
  const accept = createAcceptRuntime({
    db: pools.open('accept'),
    bus,
    ids,
    findExperiment: directory.findExperiment,
    confirmConfiguration: directory.confirm,
    nowMs,
    randomBytes,
    retentionMs: config.retentionMs,
    metrics: createAcceptMetrics(registry),
    lateAssignments: context.lateAssignments,
  });
  owns('ingest', accept.close);
  const access = {
    eventsKey: keys.require('events'),
    companyOf: (request: Parameters<typeof getPrincipal>[0]) => getPrincipal(request).companyId,
  };
  await app.register(buildApp({ runtime: accept, access, nowMs }));
}
