import { ApiError } from '@bandit/contracts';
import type { FastifyInstance, FastifyReply } from 'fastify';

export interface AnswerDeadline {
  /** For routes that name no `answerWithinMs` of their own. */
  readonly withinMs: number;
  /** An answer is found late at the next look. */
  readonly checkIntervalMs: number;
  /** For metrics: an answer, or the body it needs, did not come in time. */
  readonly onLate: (refusal: 'deadline' | 'body_deadline') => void;
}

/**
 * No request waits for ever: past its deadline it is answered 503, or 408 when its body is still on the way. Replies that
 * wait stand in the order of their arrival, and one timer looks at the oldest. (Fastify's own handlerTimeout takes a timer
 * and an AbortController for each request, and gives up its timer once a body was read.)
 *
 * @returns how many requests wait for their answer; those whose client went away count until their time is up
 */
export function useAnswerDeadline(
  app: FastifyInstance,
  { withinMs, checkIntervalMs, onLate }: AnswerDeadline,
): { nInFlight(): number } {
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
        const refusal = lateness(reply);
        onLate(refusal);
        reply.send(lateAnswers[refusal]());
      }
    }
  }, checkIntervalMs);
  timer.unref();
  app.addHook('onClose', (_app, done) => {
    clearInterval(timer);
    done();
  });
  return { nInFlight: () => waiting.size };
}

const lateAnswers = {
  deadline: () => new ApiError('OVERLOADED', 'the answer took too long: try again'),
  body_deadline: () => new ApiError('REQUEST_TIMEOUT', 'the body did not arrive in time'),
};

function lateness(reply: FastifyReply): 'deadline' | 'body_deadline' {
  const { raw, headers } = reply.request;
  const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  return raw.complete || !hasBody ? 'deadline' : 'body_deadline';
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Milliseconds until a late answer becomes a 503, for routes that may take longer than the rest. */
    answerWithinMs?: number;
  }
}
