import { ApiError } from '@bandit/contracts';
import type { FastifyInstance, FastifyReply } from 'fastify';

export interface AnswerDeadline {
  /** For routes that name no `answerWithinMs` of their own. */
  readonly withinMs: number;
  /** An answer is found late at the next look. */
  readonly checkIntervalMs: number;
}

/**
 * No request waits for ever: past its deadline it is answered 503, or 408 when its body is still on the way. Replies that
 * wait stand in the order of their arrival, and one timer looks at the oldest. (Fastify's own handlerTimeout takes a timer
 * and an AbortController for each request, and gives up its timer once a body was read.)
 */
export function useAnswerDeadline(app: FastifyInstance, { withinMs, checkIntervalMs }: AnswerDeadline): void {
  const waiting = new Set<FastifyReply>();
  app.addHook('onRequest', (_request, reply, done) => {
    waiting.add(reply);
    done();
  });
  app.addHook('onResponse', (_request, reply, done) => {
    waiting.delete(reply);
    done();
  });
  const timer = setInterval(() => {
    for (const reply of waiting) {
      if (reply.elapsedTime < withinMs) break;
      if (reply.sent || reply.raw.destroyed) waiting.delete(reply);
      else if (reply.elapsedTime >= (reply.routeOptions.config.answerWithinMs ?? withinMs)) {
        waiting.delete(reply);
        reply.send(late(reply));
      }
    }
  }, checkIntervalMs);
  timer.unref();
  app.addHook('onClose', (_app, done) => {
    clearInterval(timer);
    done();
  });
}

function late(reply: FastifyReply): ApiError {
  const { raw, headers } = reply.request;
  const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  return raw.complete || !hasBody
    ? new ApiError('OVERLOADED', 'the answer took too long: try again')
    : new ApiError('REQUEST_TIMEOUT', 'the body did not arrive in time');
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Milliseconds until a late answer becomes a 503, for routes that may take longer than the rest. */
    answerWithinMs?: number;
  }
}
