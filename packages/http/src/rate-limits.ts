import { isIPv6 } from 'node:net';
import { ApiError, limits, type NowMs } from '@bandit/contracts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { TokenBuckets } from './token-buckets.ts';

export interface RateLimits {
  /** Requests a second; 0 = no limit. */
  readonly perCaller: number;
  readonly perPeer: number;
  /** Who asks (an API key's or a member's id), known once the credentials were checked; undefined for nobody. */
  readonly callerOf: (request: FastifyRequest) => string | undefined;
}

/**
 * Counts in this process's bounded memory, so it holds with every store away. Peers are counted before anything else,
 * callers after their credentials were checked: nobody can use up another's share by naming their key.
 */
export function useRateLimits(
  app: FastifyInstance,
  options: RateLimits,
  nowMs: NowMs,
  onRefused: (name: 'peer' | 'caller') => void,
): void {
  if (options.perPeer > 0) {
    const count = makeCounter('peer', options.perPeer, nowMs, onRefused);
    app.addHook('onRequest', (request, reply, done) => {
      done(count(request, reply, peerKey(request.socket.remoteAddress ?? '')));
    });
  }
  if (options.perCaller > 0) {
    const count = makeCounter('caller', options.perCaller, nowMs, onRefused);
    app.addHook('preParsing', (request, reply, payload, done) => {
      const caller = options.callerOf(request);
      const refusal = caller === undefined ? undefined : count(request, reply, caller);
      if (refusal === undefined) done(null, payload);
      else done(refusal);
    });
  }
}

type Count = (request: FastifyRequest, reply: FastifyReply, key: string) => ApiError | undefined;

/** Writes `RateLimit-Policy` and `RateLimit` as in draft-ietf-httpapi-ratelimit-headers-10: quota q in a window of w s. */
function makeCounter<Name extends string>(
  name: Name,
  perSecond: number,
  nowMs: NowMs,
  onRefused: (name: Name) => void,
): Count {
  const buckets = new TokenBuckets(perSecond, limits.rateLimitBucketsMax);
  const policy = `"${name}";q=${perSecond};w=1`;
  return (request, reply, key) => {
    if (request.routeOptions.config.isUnlimited === true) return undefined;
    const { isAllowed, remaining } = buckets.take(key, nowMs());
    reply.header('ratelimit-policy', policy);
    reply.header('ratelimit', `"${name}";r=${remaining};t=1`);
    if (isAllowed) return undefined;
    onRefused(name);
    return new ApiError(
      'RATE_LIMITED',
      `at most ${perSecond} requests a second are taken from one ${name}; try again in a second`,
    );
  };
}

/** IPv6 hosts own a /64 and could take a new address for every request: the network counts as one peer. */
export function peerKey(address: string): string {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = (plain.split('%', 1)[0] as string).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => '0');
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`;
}
