import { limits, type NowMs } from '@bandit/contracts';
import cors from '@fastify/cors';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from 'fastify';
import type { Registry } from 'prom-client';
import { answerFailure, answerUnknownRoute } from './answer-failure.ts';
import { useStrictJson } from './body-parser.ts';
import { answerBrokenRequest } from './broken-request.ts';
import { measureRequests } from './measure-requests.ts';
import { useOpenApi } from './open-api.ts';
import { useOverloadShedding } from './overload.ts';
import { type RateLimits, useRateLimits } from './rate-limits.ts';
import { useStrictValidators } from './validators.ts';

export interface HttpServerOptions {
  /** Name in metrics, logs and the API document. */
  readonly service: string;
  readonly version: string;
  readonly logger: FastifyBaseLogger | false;
  /** Database time: the envelope's timestamps. */
  readonly nowMs: NowMs;
  readonly registry: Registry;
  /** Makes the id of a request that brought none; unpredictable or counted, but unique. */
  readonly makeRequestId: () => string;
  readonly rateLimits?: RateLimits;
  /** Browsers of these origins may call the API. */
  readonly corsOrigins?: readonly string[];
}

export type HttpServer = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/**
 * The base of every service: the envelope on every answer, strict JSON and schemas, time-outs, limits, metrics and the
 * API document. It opens nothing; services register their routes on it and the caller listens.
 */
export async function createHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const app = Fastify({
    ...(options.logger === false ? { logger: false } : { loggerInstance: options.logger }),
    disableRequestLogging: true,
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestTimeoutMs,
    connectionTimeout: limits.connectionTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    http: { headersTimeout: limits.headersTimeoutMs, connectionsCheckingInterval: 1_000 },
    routerOptions: { maxParamLength: limits.urlBytesMax, ignoreTrailingSlash: false },
    exposeHeadRoutes: false,
    genReqId: (request) => acceptRequestId(request.headers['x-request-id']) ?? options.makeRequestId(),
    clientErrorHandler: (error, socket) => answerBrokenRequest(error, socket, options.nowMs()),
    frameworkErrors: (error, request, reply) =>
      answerFailure(error, request, reply as never, options.nowMs()),
    return503OnClosing: false,
    forceCloseConnections: 'idle',
  }).withTypeProvider<TypeBoxTypeProvider>() as HttpServer;

  useStrictJson(app as unknown as FastifyInstance);
  useStrictValidators(app as unknown as FastifyInstance);
  app.setErrorHandler((error, request, reply) => answerFailure(error, request, reply, options.nowMs()));
  app.setNotFoundHandler((request, reply) => answerUnknownRoute(request, reply, options.nowMs()));
  useAnswerHeaders(app as unknown as FastifyInstance);
  measureRequests(app as unknown as FastifyInstance, options.registry, options.service);
  await useOpenApi(app as unknown as FastifyInstance, options);
  await useOverloadShedding(app as unknown as FastifyInstance);
  if (options.rateLimits) await useRateLimits(app as unknown as FastifyInstance, options.rateLimits);
  if (options.corsOrigins?.length) await useCors(app as unknown as FastifyInstance, options.corsOrigins);
  return app;
}

const requestIdPattern = /^[A-Za-z0-9._-]{1,64}$/;

function acceptRequestId(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && requestIdPattern.test(header) ? header : undefined;
}

/** On every answer: the request's id, and what keeps a browser from taking JSON for a page. */
function useAnswerHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    done();
  });
}

async function useCors(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  await app.register(cors, {
    origin: [...origins],
    credentials: true,
    exposedHeaders: ['x-request-id', 'x-total-count', 'x-recorded', 'retry-after'],
    maxAge: 600,
  });
}
