import { ApiError, limits, type NowMs } from '@bandit/contracts';
import cors from '@fastify/cors';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  LogController,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from 'fastify';
import type { Registry } from 'prom-client';
import { useAnswerDeadline } from './answer-deadline.ts';
import { type AnswerFailure, createFailureAnswer, unknownRoute } from './answer-failure.ts';
import { useStrictJson } from './body-parser.ts';
import { answerBrokenRequest } from './broken-request.ts';
import { useDraining } from './draining.ts';
import { createRequestMetrics, measureRequests } from './measure-requests.ts';
import { useOpenApi } from './open-api.ts';
import { useOverloadShedding } from './overload.ts';
import { type RateLimits, useRateLimits } from './rate-limits.ts';
import { createRequestLogger } from './request-log.ts';
import { useSerializers } from './serializers.ts';
import { traceRequests } from './tracing/trace-requests.ts';
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
  /** True adds Strict-Transport-Security: production stands behind TLS. */
  readonly isProduction?: boolean;
  readonly rateLimits?: RateLimits;
  /** Browsers of these origins may call the API. */
  readonly corsOrigins?: readonly string[];
  /** False leaves out `/openapi.json` and `/docs`, for a server that passes on another's. */
  readonly isDescribed?: boolean;
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
  const { registry, service, version, nowMs } = options;
  const metrics = createRequestMetrics(registry, { service, version });
  const answerFailure = createFailureAnswer({ nowMs, countError: metrics.countError });
  const app = makeFastify(options, answerFailure);
  const base = app as unknown as FastifyInstance;
  traceRequests(base, version);
  useStrictJson(base);
  useStrictValidators(base);
  useSerializers(base);
  app.setErrorHandler(answerFailure);
  app.setNotFoundHandler((request, reply) => answerFailure(unknownRoute(request), request, reply));
  useAnswerHeaders(base, options.isProduction === true);
  const { nInFlight } = useAnswerDeadline(base, { ...answerDeadline, onLate: metrics.countRefusal });
  useDraining(base);
  measureRequests(base, registry, service);
  if (options.isDescribed !== false) await useOpenApi(base, options);
  const { delaySeconds } = useOverloadShedding(base, () => metrics.countRefusal('event_loop'));
  metrics.watch({ nInFlight, eventLoopDelaySeconds: delaySeconds });
  const { rateLimits, corsOrigins } = options;
  if (rateLimits) useRateLimits(base, rateLimits, nowMs, (name) => metrics.countRefusal(`${name}_rate`));
  if (corsOrigins?.length) await useCors(base, corsOrigins);
  return app;
}

function makeFastify(options: HttpServerOptions, answerFailure: AnswerFailure): HttpServer {
  return Fastify({
    ...(options.logger === false
      ? { logger: false }
      : { loggerInstance: createRequestLogger(options.logger) }),
    ...transport,
    // Nothing is logged per request on the hot path.
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    genReqId: (request) => acceptRequestId(request.headers['x-request-id']) ?? options.makeRequestId(),
    clientErrorHandler: (error, socket) =>
      answerBrokenRequest(error, socket, options.makeRequestId(), options.nowMs()),
    frameworkErrors: (error, request, reply) => answerFailure(error, request, reply as never),
    return503OnClosing: false,
    forceCloseConnections: 'idle',
  }).withTypeProvider<TypeBoxTypeProvider>() as HttpServer;
}

/**
 * What one socket may take: bytes, and time for each stage. The check interval is taken off the request's time, so that
 * a socket that trickles is cut within `requestTimeoutMs`.
 */
const transport = {
  bodyLimit: limits.bodyBytesMax,
  requestTimeout: limits.requestTimeoutMs - limits.timeoutCheckIntervalMs,
  connectionTimeout: limits.connectionTimeoutMs,
  keepAliveTimeout: limits.keepAliveTimeoutMs,
  http: {
    headersTimeout: limits.headersTimeoutMs,
    connectionsCheckingInterval: limits.timeoutCheckIntervalMs,
    maxHeaderSize: limits.headerBytesMax,
    // Checked in a hook instead, so that the refusal is the envelope.
    requireHostHeader: false,
  },
  routerOptions: { maxParamLength: limits.urlBytesMax, ignoreTrailingSlash: false },
} as const;

const answerDeadline = {
  withinMs: limits.handlerTimeoutMs,
  checkIntervalMs: limits.timeoutCheckIntervalMs,
};

const requestIdPattern = new RegExp(`^[A-Za-z0-9._-]{1,${limits.requestIdCharsMax}}$`);

function acceptRequestId(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && requestIdPattern.test(header) ? header : undefined;
}

/** On every answer: the request's id, and what keeps a browser from taking JSON for a page. */
function useAnswerHeaders(app: FastifyInstance, isProduction: boolean): void {
  const fixed = {
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    ...(isProduction ? { 'strict-transport-security': 'max-age=31536000' } : {}),
  };
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id).headers(fixed);
    if (request.headers.host === undefined && request.raw.httpVersion === '1.1') {
      done(new ApiError('MALFORMED_REQUEST', 'the Host header is required and missing'));
    } else if (request.url.length > limits.urlBytesMax) {
      done(new ApiError('MALFORMED_REQUEST', `the URL must be at most ${limits.urlBytesMax} bytes long`));
    } else if (!isDecodable(request.url)) {
      done(new ApiError('MALFORMED_REQUEST', 'the query string is not percent-encoded UTF-8'));
    } else done();
  });
  app.server.on('checkExpectation', (request, response) => {
    // `Expect` with anything but 100-continue: there is nothing else to promise, so it is left unmet.
    app.server.emit('request', request, response);
  });
}

/** The parser of query strings takes what it cannot decode as it stands: `%FF` would be the same user as `%25FF`. */
function isDecodable(url: string): boolean {
  const query = url.indexOf('?');
  if (query < 0 || !url.includes('%', query)) return true;
  try {
    decodeURIComponent(url.slice(query));
    return true;
  } catch {
    return false;
  }
}

async function useCors(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  await app.register(cors, {
    origin: [...origins],
    credentials: true,
    exposedHeaders: [
      'x-request-id',
      'x-total-count',
      'x-recorded',
      'retry-after',
      'ratelimit',
      'ratelimit-policy',
    ],
    maxAge: 600,
  });
}
