import { findPrincipal, type Principal } from '@bandit/auth';
import type { FastifyRequest } from 'fastify';

/** What rate limits count by; undefined before the credentials were checked. */
export function callerIdOf(request: FastifyRequest): string | undefined {
  const principal = findPrincipal(request);
  return principal && actorOf(principal);
}

/** Who acts, for the audit log. */
export function actorOf(principal: Principal): string {
  return principal.kind === 'key' ? principal.apiKeyId : principal.memberId;
}
