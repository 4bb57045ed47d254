import { ApiError, limits, type MemberRole } from '@bandit/contracts';
import type { FastifyRequest } from 'fastify';
import { carriesApiKey, readBearer, unauthorized } from '../api-key/read-api-key.ts';
import { sessionSecurity, withSecurity } from '../guard-security.ts';
import { setPrincipal } from '../principal.ts';
import { checkCookieWrite } from './check-cookie-write.ts';
import type { JwtReader } from './jwt-reader.ts';
import type { NextAuthReader } from './next-auth-tokens.ts';
import { findSessionCookies } from './session-cookies.ts';
import type { ProxyTrust } from './trusted-proxies.ts';

export interface Member {
  readonly companyId: string;
  readonly memberId: string;
  readonly role: MemberRole;
}

export interface SessionGuardDeps {
  /** By lower-case e-mail, over all companies. */
  readonly findMember: (email: string) => Promise<Member | undefined>;
  readonly nextAuth: NextAuthReader;
  readonly jwt: JwtReader;
  readonly proxies: ProxyTrust;
  /** Origins whose pages may send cookie writes beside the API's own. */
  readonly allowedOrigins: readonly string[];
  readonly nowMs: () => number;
}

export interface SessionGuard {
  /** A member of some company; sets the principal. @throws ApiError UNAUTHORIZED */
  session(request: FastifyRequest): Promise<void>;
  /** The same, with the admin role. @throws ApiError UNAUTHORIZED, FORBIDDEN */
  admin(request: FastifyRequest): Promise<void>;
}

/**
 * Sessions: a bearer JWT, else `x-user-email` from a trusted proxy, else a cookie. The token only says who; company and
 * role come from the database with every request, so a removed member is out at once.
 */
export function createSessionGuard(deps: SessionGuardDeps): SessionGuard {
  const session = async (request: FastifyRequest): Promise<MemberRole> => {
    if (carriesApiKey(request.headers)) {
      throw unauthorized('this route takes a session, not an API key');
    }
    const email = await readEmail(deps, request);
    const member = email === undefined ? undefined : await deps.findMember(email);
    if (member === undefined) throw unauthorized('a valid session is needed: sign in');
    setPrincipal(request, { kind: 'session', ...member });
    return member.role;
  };
  return {
    session: withSecurity(async (request: FastifyRequest) => {
      await session(request);
    }, sessionSecurity),
    admin: withSecurity(async (request: FastifyRequest) => {
      if ((await session(request)) !== 'admin') {
        throw new ApiError('FORBIDDEN', 'this route needs the role admin; the session has the role member');
      }
    }, sessionSecurity),
  };
}

async function readEmail(deps: SessionGuardDeps, request: FastifyRequest): Promise<string | undefined> {
  const { headers } = request;
  const nowMs = deps.nowMs();
  if (headers.authorization !== undefined) {
    const token = readBearer(headers.authorization);
    const isBounded = token !== undefined && token.length <= limits.sessionTokenBytesMax;
    return isBounded ? emailOf(deps.jwt.read(token, nowMs)) : undefined;
  }
  const named = headers['x-user-email'];
  if (typeof named === 'string' && deps.proxies.isTrusted(request.socket.remoteAddress, headers)) {
    // The proxy knows its user by a cookie of its own, most likely; it may also have rewritten Host, which then says nothing.
    if (headers['sec-fetch-site'] !== undefined) checkCookieWrite(request, deps.allowedOrigins);
    return normaliseEmail(named);
  }
  for (const cookie of findSessionCookies(headers.cookie)) {
    const claims = isSigned(cookie.value)
      ? deps.jwt.read(cookie.value, nowMs)
      : await deps.nextAuth.read(cookie, nowMs);
    const email = emailOf(claims);
    if (email === undefined) continue;
    checkCookieWrite(request, deps.allowedOrigins);
    return email;
  }
  return undefined;
}

/** A signed token has three parts, an encrypted one five; a NextAuth with an `encode` of its own may set either. */
function isSigned(token: string): boolean {
  return token.split('.', 4).length === 3;
}

function emailOf(claims: Record<string, unknown> | undefined): string | undefined {
  const email = claims?.email;
  return typeof email === 'string' ? normaliseEmail(email) : undefined;
}

/** One address and nothing beside it: a header sent twice arrives as a list. */
const oneEmail = /^[^\s,@\0]+@[^\s,@\0]+$/;

function normaliseEmail(text: string): string | undefined {
  const email = text.trim().toLowerCase();
  return email.length <= limits.emailCharsMax && oneEmail.test(email) ? email : undefined;
}
