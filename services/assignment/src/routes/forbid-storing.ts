import type { onRequestHookHandler } from 'fastify';

/**
 * Keeps caches out of the way of every answer, refusals included: what is decided by a GET belongs to one user at one
 * moment, and a 404 without a word may be kept by any cache.
 */
export const forbidStoring: onRequestHookHandler = (_request, reply, done) => {
  reply.header('cache-control', 'no-store');
  done();
};
