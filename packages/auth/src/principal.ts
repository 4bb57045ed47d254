import type { MemberRole } from '@bandit/contracts';
import type { FastifyRequest } from 'fastify';

/** Who a request acts for, as the guards found it. Company and role come from the database, never from a token. */
export type Principal =
  | { readonly kind: 'key'; readonly companyId: string; readonly apiKeyId: string }
  | {
      readonly kind: 'session';
      readonly companyId: string;
      readonly memberId: string;
      readonly role: MemberRole;
    };

const principals = Symbol('principal');
type Carrier = { [principals]?: Principal };

export function setPrincipal(request: FastifyRequest, principal: Principal): void {
  (request as Carrier)[principals] = principal;
}

export function findPrincipal(request: FastifyRequest): Principal | undefined {
  return (request as Carrier)[principals];
}

/** @throws when no guard has passed this request: a route without credentials asked */
export function getPrincipal(request: FastifyRequest): Principal {
  const principal = findPrincipal(request);
  if (principal === undefined) throw new Error('a route without a guard asked who calls');
  return principal;
}
