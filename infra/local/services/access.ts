import {
  type ApiKeyGuard,
  carriesApiKey,
  findPrincipal,
  getPrincipal,
  keySecurity,
  type Principal,
  type SessionGuard,
  sessionSecurity,
  withSecurity,
} from '@bandit/auth';
import type { FastifyRequest } from 'fastify';

export type Access = ReturnType<typeof createAccess>;

/** The credentials of all three services, from the guards of auth. */
export function createAccess(keys: ApiKeyGuard, sessions: SessionGuard) {
  const companyOf = (request: FastifyRequest): string => getPrincipal(request).companyId;
  return {
    keys,
    ingest: { eventsKey: keys.require('events'), companyOf },
    management: {
      session: sessions.session,
      admin: sessions.admin,
      sessionOrEventsKey: withSecurity(
        (request: FastifyRequest) =>
          carriesApiKey(request.headers) ? keys.check(request, 'events') : sessions.session(request),
        [...keySecurity, ...sessionSecurity.slice(0, 1)],
      ),
      callerOf: (request: FastifyRequest) => {
        const principal = getPrincipal(request);
        return { companyId: principal.companyId, actor: actorOf(principal) };
      },
    },
  };
}

/** What rate limits count by; undefined before the credentials were checked. */
export function callerIdOf(request: FastifyRequest): string | undefined {
  const principal = findPrincipal(request);
  return principal && actorOf(principal);
}

function actorOf(principal: Principal): string {
  return principal.kind === 'key' ? principal.apiKeyId : principal.memberId;
}
