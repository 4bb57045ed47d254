import {
  type ApiKeyGuard,
  carriesApiKey,
  getPrincipal,
  keySecurity,
  type SessionGuard,
  sessionSecurity,
  withSecurity,
} from '@bandit/auth';
import { actorOf } from '@bandit/process';
import type { FastifyRequest } from 'fastify';
import type { Access } from './access.ts';

/** The credentials of the management routes, from the guards of auth. */
export function createAccess(keys: ApiKeyGuard, { session, admin }: SessionGuard): Access {
  return {
    session,
    admin,
    sessionOrEventsKey: withSecurity(
      (request: FastifyRequest) =>
        carriesApiKey(request.headers) ? keys.check(request, 'events') : session(request),
      [...keySecurity, ...sessionSecurity.slice(0, 1)],
    ),
    callerOf: (request: FastifyRequest) => {
      const principal = getPrincipal(request);
      return { companyId: principal.companyId, actor: actorOf(principal) };
    },
  };
}
