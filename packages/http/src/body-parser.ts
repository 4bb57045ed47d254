import { ApiError } from '@bandit/contracts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { unknownRoute } from './answer-failure.ts';
import { type JsonItems, parseItems } from './parse-items.ts';
import { parseJson } from './parse-json.ts';

/** `application/json`, with UTF-8 as the only charset; no tabs, no leading space, nothing behind it. */
const jsonType = /^application\/json(?: ?; ?charset=(?:utf-8|"utf-8"))?$/i;
const writes: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/**
 * Takes JSON and nothing else, and only as it stands: compressed bodies are refused, not inflated. An empty body is
 * `undefined`, and whether a route can do without is its schema's business.
 */
export function useStrictJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      const { jsonItems } = request.routeOptions.config;
      done(null, body.length === 0 ? undefined : parseBody(body as Buffer, jsonItems));
    } catch (error) {
      done(error as Error);
    }
  });
  app.addHook('preParsing', (request, _reply, payload, done) => {
    // Nobody has to send a right body to learn that there is nothing to send it to.
    const refusal = request.is404 ? unknownRoute(request) : refuseOtherMedia(request);
    if (refusal === undefined) done(null, payload);
    else done(refusal);
  });
  app.addHook('onRoute', (route) => {
    const methods = Array.isArray(route.method) ? route.method : [route.method];
    if (route.schema?.body !== undefined || !methods.some((method) => writes.has(method))) return;
    route.preValidation = [...asList(route.preValidation), refuseBody];
  });
}

/** @throws ApiError MALFORMED_JSON */
function parseBody(body: Buffer, jsonItems: JsonItems | undefined): unknown {
  try {
    return parseJson(body);
  } catch (error) {
    const byItem = jsonItems && parseItems(body, jsonItems);
    if (byItem === undefined) throw error;
    return byItem;
  }
}

function refuseOtherMedia({ headers, method }: FastifyRequest): ApiError | undefined {
  if (!writes.has(method) || !hasBody(headers)) return undefined;
  const type = headers['content-type'];
  if (type !== 'application/json' && (type === undefined || !jsonType.test(type))) {
    return new ApiError(
      'UNSUPPORTED_MEDIA_TYPE',
      `content-type must be application/json, got ${JSON.stringify((type ?? '').slice(0, 80))}`,
    );
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    return new ApiError(
      'UNSUPPORTED_MEDIA_TYPE',
      `content-encoding must be identity or absent, got ${JSON.stringify(encoding.slice(0, 40))}`,
    );
  }
  return undefined;
}

function hasBody(headers: FastifyRequest['headers']): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) > 0);
}

/** A route without a body in its schema takes nothing, or `{}`: an unknown field is refused there as everywhere. */
async function refuseBody(request: FastifyRequest): Promise<void> {
  const { body } = request;
  if (body === undefined || body === null) return;
  const fields = typeof body === 'object' && !Array.isArray(body) ? Object.keys(body) : undefined;
  if (fields?.length === 0) return;
  const got =
    fields === undefined ? 'another JSON value' : `the field ${JSON.stringify(fields[0]?.slice(0, 80))}`;
  throw new ApiError('VALIDATION_ERROR', `body must be absent or {} on this route, got ${got}`);
}

function asList<T>(hooks: T | T[] | undefined): T[] {
  return hooks === undefined ? [] : Array.isArray(hooks) ? hooks : [hooks];
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Items of the body that are refused one by one: what JSON must not hold puts an ApiError in their place. */
    jsonItems?: JsonItems;
  }
}
