import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { type InstanceTable, serviceNames } from '../instance-table.ts';
import { createApiDocument } from './api-document.ts';
import { collectMetrics } from './collect-metrics.ts';

export interface OwnRoutesDeps {
  readonly table: InstanceTable;
  readonly registry: Registry;
  /** True from the first moment of shutting down. */
  readonly isDraining: () => boolean;
  readonly monotonicMs: () => number;
}

/** What the gateway answers itself: its health, everybody's metrics, the document of the whole API. */
export function registerOwnRoutes(app: FastifyInstance, deps: OwnRoutesDeps): void {
  const { table, registry, isDraining } = deps;
  const route = { config: { isUnlimited: true } };
  app.get('/livez', route, () => ({ status: 'ok' }));
  app.get('/healthz', route, () => ({ status: 'ok' }));
  app.get('/readyz', route, (_request, reply) => {
    const services = serviceNames.map((service) => [service, table.isReady(service)] as const);
    const checks = { accepting: !isDraining(), ...Object.fromEntries(services) };
    const isReady = Object.values(checks).every((check) => check);
    if (!isReady) reply.code(503).header('retry-after', '1');
    return { status: isReady ? 'ready' : 'not ready', checks, instances: table.states() };
  });
  app.get('/metrics', route, async (_request, reply) => {
    reply.type(registry.contentType);
    return collectMetrics(table, registry);
  });
  const document = createApiDocument(table, deps.monotonicMs);
  app.get('/openapi.json', route, async (_request, reply) => {
    reply.type('application/json; charset=utf-8').serializer(String);
    return document();
  });
}
