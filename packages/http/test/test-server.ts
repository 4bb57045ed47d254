import { successEnvelope } from '@bandit/contracts';
import { Type } from '@sinclair/typebox';
import { Registry } from 'prom-client';
import { createHttpServer, type HttpServer, type HttpServerOptions } from '../src/index.ts';

export const nowMs = Date.parse('2026-01-15T10:00:00.000Z');

/** A server with a held clock and counted request ids. */
export async function openServer(options: Partial<HttpServerOptions> = {}): Promise<HttpServer> {
  let nRequests = 0;
  return createHttpServer({
    service: 'test',
    version: '1.2.3',
    logger: false,
    nowMs: () => nowMs,
    registry: new Registry(),
    makeRequestId: () => `req-${++nRequests}`,
    ...options,
  });
}

export const itemSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 5, pattern: '\\S' }),
    value: Type.Optional(Type.Number({ minimum: 0, maximum: 10 })),
    kind: Type.Optional(Type.Unsafe<string>({ type: 'string', enum: ['a', 'b'] })),
    at: Type.Optional(Type.Union([Type.String({ format: 'date-time' }), Type.Null()])),
    tags: Type.Optional(Type.Array(Type.String(), { maxItems: 2, uniqueItems: true })),
    context: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.String({ maxLength: 5 }), Type.Number(), Type.Boolean()]), {
        maxProperties: 2,
        propertyNames: { minLength: 1, maxLength: 5 },
      }),
    ),
    metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { additionalProperties: false },
);

/** POST /items echoes its body through a response schema; GET /items/:id echoes its path and query. */
export function addItemRoutes(app: HttpServer): void {
  app.post(
    '/items',
    {
      schema: { operationId: 'createItem', body: itemSchema, response: { 201: successEnvelope(itemSchema) } },
    },
    (request, reply) => {
      reply.code(201);
      return { success: true as const, data: request.body, timestamp: new Date(nowMs).toISOString() };
    },
  );
  app.get(
    '/items/:id',
    {
      schema: {
        operationId: 'getItem',
        params: Type.Object({ id: Type.String({ minLength: 1 }) }),
        querystring: Type.Object(
          {
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
            word: Type.Optional(Type.String()),
          },
          { additionalProperties: false },
        ),
      },
    },
    (request) => ({ ...request.params, ...request.query }),
  );
  app.post('/items/:id/refresh', { schema: { operationId: 'refreshItem' } }, () => ({ isFresh: true }));
}
