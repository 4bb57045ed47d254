import { ApiError } from '@bandit/contracts';
import type { FastifyRequest } from 'fastify';

/**
 * A cookie goes along with whatever page makes the browser send a request. Writes by cookie must therefore be JSON (a
 * form cannot be) and must not come from another site.
 *
 * @throws ApiError FORBIDDEN
 */
export function checkCookieWrite(request: FastifyRequest, allowedOrigins: readonly string[]): void {
  const { method, headers } = request;
  if (method === 'GET' || method === 'HEAD') return;
  const type = headers['content-type'];
  if (type !== undefined && !type.toLowerCase().startsWith('application/json')) {
    throw new ApiError('FORBIDDEN', 'a write by cookie must be application/json');
  }
  if (headers.origin !== undefined && !isSameSite(headers.origin, headers.host, allowedOrigins)) {
    throw new ApiError('FORBIDDEN', 'a write by cookie must come from a page of this site');
  }
  if (headers.origin === undefined && headers['sec-fetch-site'] === 'cross-site') {
    throw new ApiError('FORBIDDEN', 'a write by cookie must come from a page of this site');
  }
}

function isSameSite(origin: string, host: string | undefined, allowedOrigins: readonly string[]): boolean {
  if (allowedOrigins.includes(origin)) return true;
  return URL.canParse(origin) && host !== undefined && new URL(origin).host === host.toLowerCase();
}
