import { randomUUID } from 'node:crypto';
import type { NowMs } from '@bandit/contracts';
import { createHttpServer, type HttpServer } from '@bandit/http';
import type { Registry } from 'prom-client';
import { callerIdOf } from './access/caller-id.ts';
import type { ProcessOptions } from './open-process.ts';

/** The server of a process, as the configuration wants it. */
export function openServer(
  { service, version, config, log }: ProcessOptions,
  nowMs: NowMs,
  registry: Registry,
): Promise<HttpServer> {
  return createHttpServer({
    service,
    version,
    logger: log,
    nowMs,
    isProduction: config.isProduction,
    registry,
    makeRequestId: randomUUID,
    rateLimits: {
      perCaller: config.rateLimitPerKey,
      perPeer: config.rateLimitPerPeer,
      callerOf: callerIdOf,
    },
    corsOrigins: config.corsOrigins,
  });
}
