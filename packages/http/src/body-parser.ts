import { ApiError } from '@bandit/contracts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseJson } from './parse-json.ts';

/** `application/json`, with UTF-8 as the only charset; no tabs, no leading space, nothing behind it. */
const jsonType = /^application\/json(?: ?; ?charset="?utf-8"?)?$/i;

/** Takes JSON and nothing else, and only as it stands: compressed bodies are refused, not inflated. */
export function useStrictJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, body.length === 0 ? undefined : parseJson(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
  app.addHook('preParsing', async (request) => refuseOtherMedia(request));
}

function refuseOtherMedia(request: FastifyRequest): undefined {
  const { headers, method } = request;
  if (method === 'GET' || method === 'HEAD' || !hasBody(request)) return undefined;
  const type = headers['content-type'];
  if (type === undefined || !jsonType.test(type)) {
    throw new ApiError(
      'UNSUPPORTED_MEDIA_TYPE',
      `content-type must be application/json, got ${JSON.stringify((type ?? '').slice(0, 80))}`,
    );
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new ApiError(
      'UNSUPPORTED_MEDIA_TYPE',
      `content-encoding must be identity or absent, got ${JSON.stringify(encoding.slice(0, 40))}`,
    );
  }
  return undefined;
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
