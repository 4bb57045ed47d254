import { ApiError } from '@bandit/contracts';
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';

export interface RateLimits {
  /** Requests a second; 0 = no limit. */
  readonly perCaller: number;
  readonly perPeer: number;
  /** Who asks (an API key's or a member's id), known once the credentials were checked; undefined for nobody. */
  readonly callerOf: (request: FastifyRequest) => string | undefined;
}

const windowMs = 1_000;
const countersMax = 50_000;

/**
 * Counts in this process's bounded memory, so it holds with every store away. Peers are counted before anything else,
 * callers after their credentials were checked: nobody can use up another's share by naming their key.
 */
export async function useRateLimits(app: FastifyInstance, limits: RateLimits): Promise<void> {
  if (limits.perPeer > 0) {
    const check = await makeLimiter(app, limits.perPeer, (request) => request.ip);
    app.addHook('onRequest', check);
  }
  if (limits.perCaller > 0) {
    const check = await makeLimiter(app, limits.perCaller, (request) => limits.callerOf(request) ?? '');
    app.addHook('preParsing', async (request) => {
      if (limits.callerOf(request) !== undefined) await check(request);
    });
  }
}

type Check = (request: FastifyRequest) => Promise<void>;

/** @fastify/rate-limit's counter (LRU of fixed windows) behind one function that throws when the share is used up. */
async function makeLimiter(
  app: FastifyInstance,
  max: number,
  keyOf: (request: FastifyRequest) => string,
): Promise<Check> {
  let check: Check | undefined;
  await app.register(async (scope) => {
    await scope.register(rateLimit, { global: false, cache: countersMax });
    const count = scope.createRateLimit({ max, timeWindow: windowMs, keyGenerator: keyOf });
    check = async (request) => {
      if (request.routeOptions.config.isUnlimited === true) return;
      const state = await count(request);
      if (!state.isAllowed && state.isExceeded) {
        throw new ApiError(
          'RATE_LIMITED',
          `at most ${max} requests a second are taken; try again in a second`,
        );
      }
    };
  });
  if (check === undefined) throw new Error('the rate limiter was not made');
  return check;
}
