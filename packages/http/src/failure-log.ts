import { type ErrorCode, limits, type NowMs } from '@bandit/contracts';
import type { FastifyRequest } from 'fastify';
import { describeError } from './describe-error.ts';
import { TokenBuckets } from './token-buckets.ts';
import { traceFields } from './tracing/trace-fields.ts';
import { spanOfRequest } from './tracing/trace-requests.ts';

interface Failure {
  readonly statusCode: number;
  readonly code: ErrorCode;
}

/**
 * Writes the one line about a request that ended with a 5xx; the logger adds its `reqId`. Our own mistakes are errors and
 * all written. What is refused in overload or for want of a store is a warning, and past a number of lines a second only
 * counted: a thousand refusals a second must not cost more than the requests.
 */
export function createFailureLog(
  nowMs: NowMs,
): (request: FastifyRequest, error: unknown, failure: Failure) => void {
  const lines = new TokenBuckets(limits.failureLogLinesPerSecond, 1);
  return (request, error, { statusCode, code }) => {
    const isOurs = code === 'INTERNAL_ERROR';
    if (!isOurs && !lines.take('refused', nowMs()).isAllowed) return;
    const details = {
      err: describeError(error),
      code,
      method: request.method,
      route: request.routeOptions.url ?? 'unknown',
      status: statusCode,
      ...traceFields(spanOfRequest(request)),
    };
    request.log[isOurs ? 'error' : 'warn'](details, 'request failed');
  };
}
