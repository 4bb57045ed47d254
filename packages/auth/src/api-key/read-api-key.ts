import type { IncomingHttpHeaders } from 'node:http';
import { ApiError, limits } from '@bandit/contracts';

/**
 * The key that a request carries: `Authorization: Bearer <key>` or `x-api-key`.
 *
 * @throws ApiError UNAUTHORIZED when there is none, or when both are there and differ
 */
export function readApiKey(headers: IncomingHttpHeaders): string {
  const bearer = readBearer(headers.authorization);
  const plain = headers['x-api-key'];
  if (Array.isArray(plain)) throw unauthorized('x-api-key must be sent once');
  if (bearer !== undefined && plain !== undefined && bearer !== plain) {
    throw unauthorized('Authorization and x-api-key carry different keys: send one');
  }
  const key = bearer ?? plain;
  if (key === undefined || key.length > limits.apiKeyCharsMax) {
    throw unauthorized('an API key is needed: Authorization: Bearer <key> or x-api-key');
  }
  return key;
}

export function readBearer(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  return /^Bearer +(\S+)$/i.exec(header)?.[1];
}

/** True when the request brings an API key, whether or not it is valid. */
export function carriesApiKey(headers: IncomingHttpHeaders): boolean {
  return headers['x-api-key'] !== undefined || readBearer(headers.authorization)?.startsWith('bk_') === true;
}

export function unauthorized(message: string): ApiError {
  return new ApiError('UNAUTHORIZED', message);
}
