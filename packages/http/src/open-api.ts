import swagger from '@fastify/swagger';
import apiReference from '@scalar/fastify-api-reference';
import type { FastifyInstance } from 'fastify';
import { describeAnswers } from './describe-answers.ts';
import { hoistSchemas } from './hoist-schemas.ts';

/** `/openapi.json` (3.1, from the schemas) and `/docs` (its own bundle, nothing from a CDN). */
export async function useOpenApi(app: FastifyInstance, options: { version: string }): Promise<void> {
  app.addHook('onRoute', (route) => {
    const { hide, operationId } = (route.schema ?? {}) as { hide?: boolean; operationId?: string };
    if (hide !== true && operationId === undefined && !route.url.startsWith('/docs')) {
      throw new Error(`${String(route.method)} ${route.url} has no operationId`);
    }
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Bandit platform',
        description: 'Treatment assignments, event tracking and experiment management.',
        version: options.version,
      },
      components: { securitySchemes },
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json.$id ?? `def-${i}`) },
    transform: ({ schema, url, route }) => ({
      schema: url.startsWith('/docs')
        ? { ...schema, hide: true }
        : { ...securityOf(route.onRequest), ...schema },
      url,
    }),
    transformObject: (document) =>
      describeAnswers(hoistSchemas('openapiObject' in document ? document.openapiObject : {})),
  });
  app.get('/openapi.json', { schema: { hide: true }, config: { isUnlimited: true } }, () => app.swagger());
  await app.register(apiReference, {
    routePrefix: '/docs',
    configuration: { url: '/openapi.json', withDefaultFonts: false, telemetry: false },
    hooks: {
      onRequest: (_request, reply, done) => {
        reply.header('content-security-policy', docsPolicy);
        done();
      },
    },
  });
}

/** The reference page runs its own bundle, started by one inline script, and asks nobody but this server. */
const docsPolicy = [
  "default-src 'none'",
  "script-src 'self' 'unsafe-inline'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Guards say themselves what they ask for (`security`, OpenAPI's requirements); a route's own schema wins. */
function securityOf(hooks: unknown): { security?: readonly Record<string, string[]>[] } {
  const guards = (Array.isArray(hooks) ? hooks : [hooks]) as {
    security?: readonly Record<string, string[]>[];
  }[];
  const security = guards.find((guard) => guard?.security !== undefined)?.security;
  return security === undefined ? {} : { security };
}

const securitySchemes = {
  apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key, or a signed JWT, as the route asks for.',
  },
  session: { type: 'apiKey', in: 'cookie', name: 'authjs.session-token' },
} as const;
