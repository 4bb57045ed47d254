import { ApiError } from '@bandit/contracts';
import type { FastifyRequest } from 'fastify';

const reads: ReadonlySet<string> = new Set(['GET', 'HEAD']);
const jsonType = /^application\/json\b/i;

/**
 * A cookie, or a header that a proxy adds, goes along with whatever page makes the browser send a request. Such writes must
 * therefore be JSON (a form cannot be) and must not come from another site. Without Origin and Sec-Fetch-Site it is no
 * browser of these years, and no page made it send anything.
 *
 * @throws ApiError FORBIDDEN
 */
export function checkCookieWrite(request: FastifyRequest, allowedOrigins: readonly string[]): void {
  const { method, headers } = request;
  if (reads.has(method)) return;
  const type = headers['content-type'];
  if (type !== undefined && !jsonType.test(type)) {
    throw new ApiError('FORBIDDEN', 'a write by session must be application/json');
  }
  const { origin } = headers;
  if (origin !== undefined && allowedOrigins.includes(origin)) return;
  const site = headers['sec-fetch-site'];
  const isSameSite = site === undefined ? hasHostOf(origin, headers.host) : site !== 'cross-site';
  if (!isSameSite) throw new ApiError('FORBIDDEN', 'a write by session must come from a page of this site');
}

/** Browsers without Sec-Fetch-Site (plain http): the same host name; sites do not differ by port. */
function hasHostOf(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  if (host === undefined || !URL.canParse(origin) || !URL.canParse(`http://${host}`)) return false;
  return new URL(origin).hostname === new URL(`http://${host}`).hostname;
}
