import { ApiError, type ErrorCode, fail, limits, type NowMs } from '@bandit/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { endPolitely } from './end-politely.ts';
import { createFailureLog } from './failure-log.ts';

/** Fastify's own errors, by its code. */
const frameworkCodes: Readonly<Record<string, { code: ErrorCode; message: string }>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: { code: 'BODY_TOO_LARGE', message: 'the body is larger than this route takes' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'UNSUPPORTED_MEDIA_TYPE',
    message: 'content-type must be application/json',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'MALFORMED_REQUEST',
    message: 'the body is not as long as content-length says',
  },
  FST_ERR_BAD_URL: { code: 'MALFORMED_REQUEST', message: 'the path is not a valid URL path' },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'MALFORMED_REQUEST', message: 'a part of the path is too long' },
  FST_ERR_ASYNC_CONSTRAINT: { code: 'MALFORMED_REQUEST', message: 'the request cannot be routed' },
};

/** Node's, given status 400 by Fastify: the client went away, or its framing broke, before the end of its body. */
const brokenBodyCode = 'ECONNRESET';

export interface FailureAnswerOptions {
  /** Database time: the envelope's timestamp. */
  readonly nowMs: NowMs;
  readonly countError: (code: ErrorCode) => void;
}

export type AnswerFailure = (error: unknown, request: FastifyRequest, reply: FastifyReply) => void;

/**
 * Writes the one failure body. An ApiError goes out as it is; Fastify's errors by the table above; everything else is
 * our own mistake: logged with its stack, answered with a fixed sentence. Every code is counted.
 */
export function createFailureAnswer({ nowMs, countError }: FailureAnswerOptions): AnswerFailure {
  const logFailure = createFailureLog(nowMs);
  return (error, request, reply) => {
    const answer = toApiError(error);
    countError(answer.code);
    if (answer.statusCode >= 500) logFailure(request, error, answer);
    writeFailure(answer, request, reply, nowMs());
  };
}

function writeFailure(answer: ApiError, request: FastifyRequest, reply: FastifyReply, nowMs: number): void {
  // Errors before routing have passed no hook.
  reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff');
  if (answer.statusCode === 429 || answer.statusCode === 503) {
    if (!reply.hasHeader('retry-after')) reply.header('retry-after', String(limits.retryAfterSeconds));
  }
  if (answer.statusCode === 401) reply.header('www-authenticate', 'Bearer');
  // What is left of a refused body is not kept: the connection cannot carry another request.
  if (answer.statusCode === 413 || answer.statusCode === 408) reply.header('connection', 'close');
  if (answer.statusCode === 413) endPolitely(request.raw);
  reply
    .code(answer.statusCode)
    .type('application/json; charset=utf-8')
    .serializer(String)
    .send(JSON.stringify(fail(answer.code, answer.message, nowMs, answer.details)));
}

export function unknownRoute(request: FastifyRequest): ApiError {
  const path = request.url.split('?', 1)[0]?.slice(0, 200) ?? '';
  const message = `there is no route ${request.method} ${path}; GET /openapi.json lists those there are`;
  return new ApiError('ROUTE_NOT_FOUND', message);
}

function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const { code, statusCode, cause } = (error ?? {}) as {
    code?: string;
    statusCode?: number;
    cause?: unknown;
  };
  if (cause instanceof ApiError) return cause;
  const known = code === undefined ? undefined : frameworkCodes[code];
  if (known !== undefined) return new ApiError(known.code, known.message, { cause: error });
  if (statusCode === 429)
    return new ApiError('RATE_LIMITED', 'too many requests: slow down', { cause: error });
  if (statusCode === 503)
    return new ApiError('OVERLOADED', 'the service is overloaded: try again', { cause: error });
  const isOfRequest = code?.startsWith('FST_') || code === brokenBodyCode;
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500 && isOfRequest) {
    return new ApiError('MALFORMED_REQUEST', 'the request is malformed', { cause: error });
  }
  return new ApiError(
    'INTERNAL_ERROR',
    'something went wrong on our side; the request id finds it in the log',
    {
      cause: error,
    },
  );
}
