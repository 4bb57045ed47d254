/**
 * The one door of the fleet: takes every request on one port and gives it to a process of the service it is for. Bodies and
 * answers pass as they are; what the gateway says itself (nobody is ready, an outcome is unknown, a peer asks too often,
 * bytes that are not HTTP) is the platform's envelope. It keeps nothing: a crash loses the requests under way, whose
 * clients see their connection end.
 */
import { createProxyTrust } from '@bandit/auth';
import { limits } from '@bandit/contracts';
import { createHttpServer, type HttpServer } from '@bandit/http';
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { InstanceTable, ServiceName } from '../instance-table.ts';
import { measureInstances } from './collect-metrics.ts';
import { type ForwardDeps, forward } from './forward.ts';
import { createOutcomes } from './outcomes.ts';
import { registerOwnRoutes } from './own-routes.ts';

export interface GatewayOptions {
  readonly table: InstanceTable;
  readonly version: string;
  readonly log: Logger | false;
  /** Milliseconds since the epoch, for the time in the gateway's own answers. */
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  readonly registry: Registry;
  readonly makeRequestId: () => string;
  readonly isProduction: boolean;
  /** CIDRs of those who may say who their user is; nobody when undefined. */
  readonly trustedProxies: readonly string[] | undefined;
  /** Requests a second of one peer; 0 = no limit. */
  readonly rateLimitPerPeer: number;
  readonly corsOrigins: readonly string[];
  readonly isDraining: () => boolean;
}

/** Opens nothing: the caller listens. */
export async function createGateway(options: GatewayOptions): Promise<HttpServer> {
  const { table, registry } = options;
  const app = await createHttpServer({
    service: 'gateway',
    version: options.version,
    logger: options.log,
    nowMs: options.nowMs,
    registry,
    makeRequestId: options.makeRequestId,
    isProduction: options.isProduction,
    rateLimits: { perCaller: 0, perPeer: options.rateLimitPerPeer, callerOf: () => undefined },
    corsOrigins: options.corsOrigins,
    isDescribed: false,
  });
  measureInstances(table, registry);
  const proxies = createProxyTrust(options.trustedProxies, true);
  const deps: ForwardDeps = {
    table,
    outcomes: createOutcomes(registry),
    isTrusted: (request) => proxies.isTrusted(request.raw.socket.remoteAddress, request.headers),
  };
  registerOwnRoutes(app as never, {
    table,
    registry,
    isDraining: options.isDraining,
    monotonicMs: options.monotonicMs,
  });
  registerPassage(app, deps);
  return app;
}

/** The routes as the services have them; what none of them has is management's to refuse. */
function registerPassage(app: HttpServer, deps: ForwardDeps): void {
  const pass = (service: ServiceName, answerWithinMs: number = limits.handlerTimeoutMs) => ({
    config: { answerWithinMs: answerWithinMs + limits.gatewayDeadlineSlackMs },
    // In the first hook, before anything reads the body.
    onRequest: (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => {
      if (answerWithinMs > limits.handlerTimeoutMs) keepOpen(request, answerWithinMs);
      forward(deps, service, request, reply, done);
    },
  });
  app.all('/assignments', pass('assignment'), unreachable);
  app.all('/assignments/*', pass('assignment'), unreachable);
  app.post('/events', pass('ingest'), unreachable);
  app.post('/events/batch', pass('ingest'), unreachable);
  const { databaseStatementTimeoutMs, refreshTimeoutMs, aiTimeoutMs } = limits;
  const refresh = pass('management', refreshTimeoutMs + databaseStatementTimeoutMs);
  app.post('/experiments/:id/refresh', refresh, unreachable);
  const generate = pass('management', aiTimeoutMs + databaseStatementTimeoutMs);
  app.post('/experiments/:id/generate-variant', generate, unreachable);
  app.all('/*', pass('management'), unreachable);
}

/** The server cuts sockets that are silent for long; these answers may take longer. */
function keepOpen(request: FastifyRequest, answerWithinMs: number): void {
  request.raw.socket.setTimeout(answerWithinMs + 2 * limits.gatewayDeadlineSlackMs);
}

function unreachable(): never {
  throw new Error('a request passed the gateway without an answer');
}
